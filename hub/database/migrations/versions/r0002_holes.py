"""Registers that devices turned out not to have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "holes",
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("profile", sa.String(length=100), nullable=False),
        sa.Column("register_table", sa.String(length=10), nullable=False),
        sa.Column("address", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("words", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("found_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "device", "profile", "register_table", "address", "words", name=op.f("pk_holes")
        ),
    )
