"""The revisions of the tables, oldest first; a published revision never changes."""
