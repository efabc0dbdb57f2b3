"""Tickets with sources, crews, pauses and reopenings; their history sealed in a chain; problems."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.database.chain import CONTENT, Head, sealed

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
_AT_ONCE = 1000


def upgrade() -> None:
    """Bring the tables to this revision."""
    for column in (
        sa.Column("source", sa.String(length=10), nullable=False, server_default="alarm"),
        sa.Column("policy", sa.String(length=100), nullable=False, server_default="default"),
        sa.Column("skill", sa.String(length=100), nullable=False, server_default=""),
        sa.Column("crew", sa.String(length=100), nullable=True),
        sa.Column("assignee", sa.String(length=100), nullable=True),
        sa.Column("on_site_proof", sa.String(length=10), nullable=False, server_default=""),
        sa.Column("paused_ms", sa.BigInteger(), nullable=True),
        sa.Column("pause", sa.String(length=100), nullable=False, server_default=""),
        sa.Column("reopened", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("reopened_ms", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.String(length=40), nullable=True),
        sa.Column("closing", sa.String(length=10), nullable=False, server_default=""),
        sa.Column("reports", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("tickets", column)
    op.drop_index(op.f("ix_tickets_state"), table_name="tickets")
    op.create_index("ix_tickets_state_opened", "tickets", ["state", "opened_ms"], unique=False)
    op.create_index(op.f("ix_tickets_problem"), "tickets", ["problem"], unique=False)
    op.execute("UPDATE tickets SET closing = 'proven' WHERE closed_ms IS NOT NULL")
    op.create_table(
        "problems",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=300), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False, server_default=""),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problems")),
    )
    op.create_index(op.f("ix_problems_cause"), "problems", ["cause"], unique=False)
    op.create_table(
        "chain",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chain")),
    )
    with op.batch_alter_table("ticket_events") as batch:
        batch.add_column(sa.Column("received_ms", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("seq", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("hash", sa.String(length=64), nullable=True))
    _seal()
    with op.batch_alter_table("ticket_events") as batch:
        batch.alter_column("received_ms", nullable=False)
        batch.alter_column("seq", nullable=False)
        batch.alter_column("hash", nullable=False)
        batch.create_unique_constraint(op.f("uq_ticket_events_seq"), ["seq"])


def _seal() -> None:
    """Seal what was written before there was a chain, in the order of its instants."""
    plain: list[Any] = [sa.column(name) for name in (*CONTENT, "seq", "hash") if name != "detail"]
    events = sa.table("ticket_events", *plain, sa.column("detail", sa.JSON()))
    connection, last = op.get_bind(), Head()
    connection.execute(sa.update(events).values(received_ms=events.c.at_ms))
    keys = (events.c.at_ms, events.c.ticket, events.c.n)
    query = sa.select(*(events.c[name] for name in CONTENT)).order_by(*keys).limit(_AT_ONCE)
    seal = sa.update(events).where(
        events.c.ticket == sa.bindparam("of_ticket"), events.c.n == sa.bindparam("of_n")
    )
    after = None
    while rows := connection.execute(_behind(query, keys, after)).mappings().all():
        seals = []
        for row in rows:
            last = sealed(last, dict(row))
            seals.append({"of_ticket": row["ticket"], "of_n": row["n"], **last._asdict()})
        connection.execute(seal.values(seq=sa.bindparam("seq"), hash=sa.bindparam("hash")), seals)
        after = tuple(rows[-1][key.name] for key in keys)
    if last.seq:
        head = sa.table("chain", *(sa.column(name) for name in ("name", "seq", "hash")))
        connection.execute(sa.insert(head).values(name="tickets", **last._asdict()))


def _behind(
    query: sa.Select[Any], keys: tuple[Any, ...], after: tuple[Any, ...] | None
) -> sa.Select[Any]:
    return query if after is None else query.where(sa.tuple_(*keys) > sa.tuple_(*after))
