"""The tables. Instants are milliseconds UTC; ids of alarms and tickets derive from their causes."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_ms = sa.BigInteger

points = sa.Table(
    "points",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(200), nullable=False, unique=True),
    sqlite_autoincrement=True,  # a number is never given twice, not even after a deletion
)

alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("rule", sa.String(100), nullable=False),
    sa.Column("device", sa.String(200), nullable=False),
    sa.Column("place", sa.String(200), nullable=False, index=True),
    sa.Column("severity", sa.String(10), nullable=False),
    sa.Column("title_zh", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
    sa.Column("state", sa.String(30), nullable=False, index=True),
    sa.Column("raised_ms", _ms, nullable=False, index=True),
    sa.Column("value", sa.Float, nullable=True),
    sa.Column("limit", sa.Float, nullable=True),
    sa.Column("acknowledged_ms", _ms),
    sa.Column("cleared_ms", _ms),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("owner", sa.String(100), nullable=False, server_default=""),
    sa.Column("until_ms", _ms),
    sa.Column("root", sa.String(40), index=True),
    sa.Column("chattering", sa.Boolean, nullable=False, server_default=sa.false()),
)

alarm_events = sa.Table(
    "alarm_events",
    metadata,
    sa.Column("alarm", sa.String(40), sa.ForeignKey("alarms.id"), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(30), nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("at_ms", _ms, nullable=False, index=True),
    sa.Column("detail", sa.JSON, nullable=False),
)

outages = sa.Table(
    "outages",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("area", sa.String(200), nullable=False),
    sa.Column("start_ms", _ms, nullable=False, index=True),
    sa.Column("end_ms", _ms, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("entered_ms", _ms, nullable=False),
    sa.Column("ended_ms", _ms),
)

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("device", sa.String(200), nullable=False),
    sa.Column("place", sa.String(200), nullable=False, index=True),
    sa.Column("rule", sa.String(100), nullable=False),
    sa.Column("severity", sa.String(10), nullable=False),
    sa.Column("title_zh", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
    sa.Column("guidance_zh", sa.Text, nullable=False),
    sa.Column("guidance_en", sa.Text, nullable=False),
    sa.Column("parts", sa.JSON, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("opened_ms", _ms, nullable=False, index=True),
    sa.Column("respond_by_ms", _ms, nullable=False),
    sa.Column("on_site_by_ms", _ms, nullable=False),
    sa.Column("fix_by_ms", _ms),
    sa.Column("crew_by_ms", _ms),
    sa.Column("responded_ms", _ms),
    sa.Column("on_site_ms", _ms),
    sa.Column("fixed_ms", _ms),
    sa.Column("closed_ms", _ms),
    sa.Column("prove_by_ms", _ms),
    sa.Column("alarm", sa.String(40)),
    sa.Column("crew_ms", _ms),
    sa.Column("source", sa.String(10), nullable=False, server_default="alarm"),
    sa.Column("policy", sa.String(100), nullable=False, server_default="default"),
    sa.Column("skill", sa.String(100), nullable=False, server_default=""),
    sa.Column("crew", sa.String(100)),
    sa.Column("assignee", sa.String(100)),
    sa.Column("on_site_proof", sa.String(10), nullable=False, server_default=""),
    sa.Column("paused_ms", _ms),
    sa.Column("pause", sa.String(100), nullable=False, server_default=""),
    sa.Column("reopened", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reopened_ms", _ms),
    sa.Column("problem", sa.String(40), index=True),
    sa.Column("closing", sa.String(10), nullable=False, server_default=""),
    sa.Column("reports", sa.Integer, nullable=False, server_default="0"),
)
sa.Index("ix_tickets_state_opened", tickets.c.state, tickets.c.opened_ms)  # a page without a sort
# At most one open ticket per cause, held by the database itself (field failure F29).
sa.Index(
    "uq_tickets_open_cause",
    tickets.c.cause,
    unique=True,
    sqlite_where=tickets.c.closed_ms.is_(None),
    postgresql_where=tickets.c.closed_ms.is_(None),
)

ticket_events = sa.Table(
    "ticket_events",
    metadata,
    sa.Column("ticket", sa.String(40), sa.ForeignKey("tickets.id"), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(30), nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("at_ms", _ms, nullable=False),
    sa.Column("received_ms", _ms, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False, unique=True),  # of all tickets, from 1
    sa.Column("hash", sa.String(64), nullable=False),  # see hub.database.chain
)

chain = sa.Table(
    "chain",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

problems = sa.Table(
    "problems",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("cause", sa.String(300), nullable=False, index=True),
    sa.Column("title_zh", sa.Text, nullable=False),
    sa.Column("title_en", sa.Text, nullable=False),
    sa.Column("opened_ms", _ms, nullable=False),
    sa.Column("tickets", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(100), nullable=False, server_default=""),
    sa.Column("due_ms", _ms),
    sa.Column("closed_ms", _ms),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("key", sa.String(200), primary_key=True),  # ticket, event and person
    sa.Column("ticket", sa.String(40), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("person", sa.String(100), nullable=False),
    sa.Column("subject_zh", sa.Text, nullable=False),
    sa.Column("subject_en", sa.Text, nullable=False),
    sa.Column("body_zh", sa.Text, nullable=False),
    sa.Column("body_en", sa.Text, nullable=False),
    sa.Column("urgent", sa.Boolean, nullable=False),
    sa.Column("asks", sa.Boolean, nullable=False),
    sa.Column("created_ms", _ms, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),  # waiting, held or told
    sa.Column("message", sa.String(220)),  # the key of the message that it goes out in
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("next_ms", _ms, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("undelivered_ms", _ms),  # when every channel had failed
    sa.Column("channel", sa.String(60)),
    sa.Column("sent_ms", _ms),
)
sa.Index("ix_outbox_state_next_ms", outbox.c.state, outbox.c.next_ms)

engine_state = sa.Table(
    "engine_state",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),  # "applied" or "snapshot"
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("state", sa.LargeBinary),
)

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("key", sa.String(200), nullable=False, unique=True),  # actor + Idempotency-Key
    sa.Column("point", sa.String(200), nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("asked_ms", _ms, nullable=False),
    sa.Column("expires_ms", _ms, nullable=False),
    sa.Column("outcome", sa.String(20)),
    sa.Column("result", sa.Text),
    sa.Column("actual", sa.Float),
    sa.Column("done_ms", _ms),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at_ms", _ms, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("action", sa.String(60), nullable=False),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("password", sa.String(200), nullable=False),  # argon2id
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("created_ms", _ms, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),  # SHA-256 of the token
    sa.Column("user", sa.String(100), sa.ForeignKey("users.name"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_ms", _ms, nullable=False),
    sa.Column("used_ms", _ms, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("job", sa.String(40), primary_key=True),
    sa.Column("period", sa.String(20), primary_key=True),  # the civil day, e.g. 2026-11-20
    sa.Column("done_ms", _ms, nullable=False),
)

daily_use = sa.Table(
    "daily_use",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("place", sa.String(200), primary_key=True),
    sa.Column("kwh", sa.Float),  # NULL: nothing was measured
    sa.Column("coverage", sa.Float, nullable=False),  # share of the hours measured, 0..1
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at_ms", _ms, nullable=False),
    sa.Column("source", sa.String(300), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

holes = sa.Table(
    "holes",
    metadata,
    sa.Column("device", sa.String(200), primary_key=True),
    sa.Column("profile", sa.String(100), primary_key=True),
    sa.Column("register_table", sa.String(10), primary_key=True),
    sa.Column("address", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("words", sa.Integer, primary_key=True, autoincrement=False),  # 0: a boundary
    sa.Column("found_ms", _ms, nullable=False),
)

availability = sa.Table(
    "availability",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("what", sa.String(10), primary_key=True),  # device, bus or gateway
    sa.Column("subject", sa.String(200), primary_key=True),
    sa.Column("online_ms", _ms, nullable=False),
    sa.Column("observed_ms", _ms, nullable=False),  # a hub was running
    sa.Column("answers", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("latency_s", sa.Float),
)

meter_changes = sa.Table(
    "meter_changes",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("point", sa.String(200), nullable=False, index=True),
    sa.Column("at_ms", _ms, nullable=False),
    sa.Column("closing", sa.Float, nullable=False),
    sa.Column("opening", sa.Float, nullable=False),
    sa.Column("multiplier", sa.Float),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("entered_ms", _ms, nullable=False),
    sa.Column("corrects", sa.Integer, sa.ForeignKey("meter_changes.n"), unique=True),
    sa.Column("void", sa.Boolean, nullable=False),
)

swaps = sa.Table(
    "swaps",
    metadata,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False, unique=True),
    sa.Column("turn", sa.String(200), nullable=False),
    sa.Column("gives", sa.String(100), nullable=False),
    sa.Column("takes", sa.String(100), nullable=False),
    sa.Column("actor", sa.String(100), nullable=False),
    sa.Column("at_ms", _ms, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),  # SHA-256 of the token of its page
    sa.Column("ticket", sa.String(40), sa.ForeignKey("tickets.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(100), nullable=False, index=True),
    sa.Column("place", sa.String(200), nullable=False),
    sa.Column("device", sa.String(200), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("photos", sa.JSON, nullable=False),
    sa.Column("at_ms", _ms, nullable=False),
    sa.Column("contact", sa.String(100), nullable=False, server_default=""),  # erased in time
)
