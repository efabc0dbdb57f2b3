"""The life of alarms: what holds them back, their history, planned outages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    for column in (
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("owner", sa.String(length=100), nullable=False, server_default=""),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("root", sa.String(length=40), nullable=True),
        sa.Column("chattering", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("alarms", column)
    op.create_index(op.f("ix_alarms_root"), "alarms", ["root"], unique=False)
    op.create_table(
        "alarm_events",
        sa.Column("alarm", sa.String(length=40), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alarm"], ["alarms.id"], name=op.f("fk_alarm_events_alarm_alarms")
        ),
        sa.PrimaryKeyConstraint("alarm", "n", name=op.f("pk_alarm_events")),
    )
    op.create_index(op.f("ix_alarm_events_at_ms"), "alarm_events", ["at_ms"], unique=False)
    op.create_table(
        "outages",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("area", sa.String(length=200), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
    )
    op.create_index(op.f("ix_outages_start_ms"), "outages", ["start_ms"], unique=False)
