"""Reports of people without an account, each with its ticket and the hash of its link."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "reports",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("ticket", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("photos", sa.JSON(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("contact", sa.String(length=100), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.id"], name=op.f("fk_reports_ticket_tickets")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_reports")),
    )
    op.create_index(op.f("ix_reports_ticket"), "reports", ["ticket"], unique=False)
    op.create_index(op.f("ix_reports_kind"), "reports", ["kind"], unique=False)
