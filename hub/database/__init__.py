"""Relational tables: alarms, tickets, users, audit; SQLite by default, PostgreSQL by URL."""
