"""Changes of meters as people enter them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "meter_changes",
        sa.Column("n", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("point", sa.String(length=200), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closing", sa.Float(), nullable=False),
        sa.Column("opening", sa.Float(), nullable=False),
        sa.Column("multiplier", sa.Float(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.Column("corrects", sa.Integer(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["corrects"], ["meter_changes.n"], name=op.f("fk_meter_changes_corrects_meter_changes")
        ),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_meter_changes")),
        sa.UniqueConstraint("corrects", name=op.f("uq_meter_changes_corrects")),
    )
    op.create_index(op.f("ix_meter_changes_point"), "meter_changes", ["point"], unique=False)
