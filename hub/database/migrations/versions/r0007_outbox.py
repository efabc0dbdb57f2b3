"""The outbox has a row per person, its next try, and how and by what channel it was told."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NEW: tuple[sa.Column[Any], ...] = (
    sa.Column("n", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("person", sa.String(length=100), nullable=False, server_default="duty"),
    sa.Column("subject_en", sa.Text(), nullable=False, server_default=""),
    sa.Column("body_en", sa.Text(), nullable=False, server_default=""),
    sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.true()),
    sa.Column("asks", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("state", sa.String(length=10), nullable=False, server_default="waiting"),
    sa.Column("message", sa.String(length=220), nullable=True),
    sa.Column("next_ms", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("error", sa.Text(), nullable=False, server_default=""),
    sa.Column("undelivered_ms", sa.BigInteger(), nullable=True),
    sa.Column("channel", sa.String(length=60), nullable=True),
)


def upgrade() -> None:
    """Bring the tables to this revision; what was told stays told, what waits is still told."""
    with op.batch_alter_table("outbox") as table:
        table.alter_column("key", type_=sa.String(200), existing_type=sa.String(100))
        table.alter_column("ticket", nullable=False, existing_type=sa.String(40))
        table.alter_column("subject", new_column_name="subject_zh", existing_type=sa.Text())
        table.alter_column("body", new_column_name="body_zh", existing_type=sa.Text())
        for column in _NEW:
            table.add_column(column)
    outbox = sa.table(
        "outbox",
        *map(sa.column, ("key", "ticket", "subject_zh", "subject_en", "body_zh", "body_en")),
        *map(sa.column, ("n", "state", "next_ms", "created_ms", "sent_ms")),
    )
    after = sa.func.substr(outbox.c.key, sa.func.length(outbox.c.ticket) + 2)
    op.execute(
        outbox.update().values(
            n=sa.cast(after, sa.Integer()),
            key=outbox.c.key + "/duty",
            subject_en=outbox.c.subject_zh,
            body_en=outbox.c.body_zh,
            state=sa.case((outbox.c.sent_ms.is_(None), "waiting"), else_="told"),
            next_ms=outbox.c.created_ms,
        )
    )
    op.create_index("ix_outbox_state_next_ms", "outbox", ["state", "next_ms"], unique=False)
