"""What alembic runs: the revisions, on the connection that hub.database.migration hands over."""

from __future__ import annotations

from alembic import context

from hub.database.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
