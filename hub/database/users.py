"""People who may sign in, and their sessions."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from hub.database.connection import ConflictError, Database
from hub.database.schema import sessions, users
from hub.ports import Refused


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in; ``password`` is an argon2id hash."""

    name: str
    password: str
    role: str
    must_change: bool
    created_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser; ``hash`` is the SHA-256 of its token."""

    hash: str
    user: str
    csrf: str
    created_ms: int
    used_ms: int


def add(database: Database, user: User) -> None:
    """Add a user; Refused when the name is taken."""
    try:
        with database.write() as connection:
            connection.execute(sa.insert(users).values(asdict(user)))
    except ConflictError as error:
        raise Refused(f"user {user.name}: the name is taken; choose another") from error


def get(database: Database, name: str) -> User | None:
    """Return a user."""
    with database.read() as connection:
        row = connection.execute(sa.select(users).where(users.c.name == name)).one_or_none()
    return None if row is None else User(*row)


def every(database: Database) -> list[User]:
    """Return all users by name."""
    with database.read() as connection:
        return [User(*row) for row in connection.execute(sa.select(users).order_by(users.c.name))]


def count(database: Database) -> int:
    """Count the users."""
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(users)).scalar_one())


def set_password(
    database: Database, name: str, password: str, *, must_change: bool = False
) -> None:
    """Change the password hash of a user and end all of the user's sessions."""
    change = sa.update(users).where(users.c.name == name)
    with database.write() as connection:
        found = connection.execute(change.values(password=password, must_change=must_change))
        if found.rowcount == 0:
            raise Refused(f"user {name}: there is no such user")
        connection.execute(sa.delete(sessions).where(sessions.c.user == name))


def create_session(database: Database, session: Session) -> None:
    """Keep a new session."""
    with database.write() as connection:
        connection.execute(sa.insert(sessions).values(asdict(session)))


def get_session(database: Database, hash_: str) -> Session | None:
    """Return a session by the hash of its token."""
    with database.read() as connection:
        row = connection.execute(sa.select(sessions).where(sessions.c.hash == hash_)).one_or_none()
    return None if row is None else Session(*row)


def touch_session(database: Database, hash_: str, used_ms: int) -> None:
    """Note that a session was used."""
    with database.write() as connection:
        connection.execute(
            sa.update(sessions).where(sessions.c.hash == hash_).values(used_ms=used_ms)
        )


def delete_session(database: Database, hash_: str) -> None:
    """End a session."""
    with database.write() as connection:
        connection.execute(sa.delete(sessions).where(sessions.c.hash == hash_))


def delete_sessions(database: Database, *, created_before: int, used_before: int) -> int:
    """End the sessions that are too old or unused for too long; return how many."""
    old = sa.or_(sessions.c.created_ms < created_before, sessions.c.used_ms < used_before)
    with database.write() as connection:
        return int(connection.execute(sa.delete(sessions).where(old)).rowcount)
