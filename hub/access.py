"""Who may see and do what: users, roles, sign-in and sessions. What is not allowed is refused."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hub.database import audit, users
from hub.database.connection import Database
from hub.database.users import Session, User
from hub.ports import Clock, Refused, Worker

Role = Literal["admin", "energy", "duty", "crew", "contractor"]
Right = Literal[
    "look",
    "work",
    "own",
    "close",
    "assign",
    "roster",
    "shelve",
    "meters",
    "command",
    "simulate",
    "administer",
]

# The whole of what each role may do; a right that is not here does not exist for it. Who may shelve
# an alarm may also take it out of service and enter planned outages. Who may close a ticket by word
# may also refuse, reclassify, reopen, correct and link it. Who has nothing but what is its own sees
# the tickets of its crews and works on them.
MAY: Mapping[str, frozenset[Right]] = {
    "admin": frozenset(get_args(Right)) - {"own"},
    "energy": frozenset({"look", "meters"}),
    "duty": frozenset(
        {"look", "work", "close", "assign", "roster", "shelve", "meters", "command", "simulate"}
    ),
    "crew": frozenset({"look", "work"}),
    "contractor": frozenset({"own"}),
}
ROLES: tuple[str, ...] = get_args(Role)

IDLE_MS = 30 * 60_000
ABSOLUTE_MS = 12 * 3_600_000
TOUCH_MS = 60_000  # a session's last use is written once a minute, not once a request
TRIES_PER_PAIR = 5  # wrong passwords for one name from one source before the next has to wait
TRIES_PER_SOURCE = 20
TRIES_PER_NAME = 20
_MOST_TRIED = 10_000
TRY_AGAIN_MS = 60_000  # one more try of a used-up allowance per minute
SHORTEST = 12
LONGEST = 200
LONGEST_NAME = 100
_NAME = frozenset(string.ascii_lowercase + string.digits + "-._")
_COMMON = frozenset(
    {"password", "passwort", "administrator", "qwertyuiop", "1234567890", "campushub", "letmein"}
)
_HASHER = PasswordHasher()  # argon2id with the library's current parameters
_WRONG = "The name or the password is wrong; try again, or ask an administrator."


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking; ``csrf`` is the token that forms of this session carry."""

    name: str
    role: str
    csrf: str
    must_change: bool


class SignedIn(NamedTuple):
    """A new session: the secret token for the browser, and whose it is."""

    token: str
    viewer: Viewer


def may(role: str, right: Right) -> bool:
    """Tell whether a role has a right; an unknown role or right has and gives nothing."""
    return right in MAY.get(role, frozenset())


class Tries:
    """Tries to sign in, by who makes them: a used-up allowance refills slowly and never locks."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[float, int]] = {}

    def wait_ms(self, allowances: Mapping[str, int], now_ms: int) -> int:
        """Return how long the next try has to wait; 0 when it may be made now."""
        over = max(self._level(who, now_ms) - (all_ - 1) for who, all_ in allowances.items())
        return max(0, round(over * TRY_AGAIN_MS))

    def take(self, allowances: Mapping[str, int], now_ms: int) -> None:
        """Count a try."""
        if len(self._used) > _MOST_TRIED:  # memory stays bounded while somebody guesses names
            self._used = {who: it for who, it in self._used.items() if self._level(who, now_ms)}
        for who in allowances:
            self._used[who] = (self._level(who, now_ms) + 1, now_ms)

    def give_back(self, allowances: Mapping[str, int], now_ms: int) -> None:
        """Take back a try that was no guess."""
        for who in allowances:
            self._used[who] = (max(0.0, self._level(who, now_ms) - 1), now_ms)

    def _level(self, who: str, now_ms: int) -> float:
        used, at_ms = self._used.get(who, (0.0, now_ms))
        return max(0.0, used - max(0, now_ms - at_ms) / TRY_AGAIN_MS)


def _allowances(name: str, source: str) -> dict[str, int]:
    # By name and source together first: who guesses at a name does not keep its owner out.
    return {
        f"{source} as {name}": TRIES_PER_PAIR,
        f"from {source}": TRIES_PER_SOURCE,
        f"as {name}": TRIES_PER_NAME,
    }


class Access:
    """Sign-in and sessions of one hub; its work on passwords and tables runs in a worker."""

    def __init__(self, database: Database, worker: Worker, clock: Clock) -> None:
        self._database = database
        self._worker = worker
        self._clock = clock
        self._tries = Tries()
        # Checked when a name is unknown, so that an answer takes as long as for a known one.
        self._nobody = _hash(clock.token("nobody"))

    async def sign_in(self, name: str, password: str, source: str) -> SignedIn:
        """Begin a session; Refused when name or password is wrong, or tried too often."""
        allowances = _allowances(name, source)
        if wait_ms := self._tries.wait_ms(allowances, self._clock.now_ms()):
            raise Refused(f"Too many wrong passwords; try again in {-(-wait_ms // 1000)} s.")
        # Counted before the slow check, so that tries at the same time do not slip through.
        self._tries.take(allowances, self._clock.now_ms())
        guess = False
        try:
            signed_in = await self._worker.run(lambda: self._sign_in(name, password, source))
            guess = signed_in is None
        finally:
            if not guess:
                self._tries.give_back(allowances, self._clock.now_ms())
        if signed_in is None:
            raise Refused(_WRONG)
        return signed_in

    async def viewer(self, token: str) -> Viewer | None:
        """Return whose session a token is; None when there is none or it ended."""
        return await self._worker.run(lambda: self._viewer(token))

    async def sign_out(self, token: str) -> None:
        """End a session at once."""
        await self._worker.run(lambda: users.delete_session(self._database, _digest(token)))

    async def change_password(self, token: str, old: str, new: str) -> SignedIn:
        """Set a new password; ends every session of the user and begins a new one."""
        return await self._worker.run(lambda: self._change_password(token, old, new))

    def _sign_in(self, name: str, password: str, source: str) -> SignedIn | None:
        user = users.get(self._database, name) if _is_name(name) else None
        right = _fits(user.password if user else self._nobody, password)
        now_ms = self._clock.now_ms()
        if user is None or not right:
            tried = name if _is_name(name) else "(no name)"
            audit.add(self._database, now_ms, "-", "sign-in refused", tried, {"source": source})
            return None
        users.delete_sessions(
            self._database, created_before=now_ms - ABSOLUTE_MS, used_before=now_ms - IDLE_MS
        )
        audit.add(self._database, now_ms, user.name, "signed in", user.name, {"source": source})
        return self._begin(user)

    def _begin(self, user: User) -> SignedIn:
        token = self._clock.token("session")
        csrf = self._clock.token("csrf")
        now_ms = self._clock.now_ms()
        session = Session(_digest(token), user.name, csrf, now_ms, now_ms)
        users.create_session(self._database, session)
        return SignedIn(token, Viewer(user.name, user.role, csrf, user.must_change))

    def _viewer(self, token: str) -> Viewer | None:
        session = users.get_session(self._database, _digest(token))
        if session is None:
            return None
        now_ms = self._clock.now_ms()
        if now_ms - session.created_ms >= ABSOLUTE_MS or now_ms - session.used_ms >= IDLE_MS:
            users.delete_session(self._database, session.hash)
            return None
        if now_ms - session.used_ms >= TOUCH_MS:
            users.touch_session(self._database, session.hash, now_ms)
        user = users.get(self._database, session.user)
        if user is None:
            return None
        return Viewer(user.name, user.role, session.csrf, user.must_change)

    def _change_password(self, token: str, old: str, new: str) -> SignedIn:
        viewer = self._viewer(token)
        user = users.get(self._database, viewer.name) if viewer else None
        if user is None:
            raise Refused("The session has ended; sign in again.")
        if not _fits(user.password, old):
            raise Refused("The old password is wrong.")
        check_password(user.name, new)
        if new == old:
            raise Refused("The new password is the old one; choose another.")
        users.set_password(self._database, user.name, _hash(new))
        now_ms = self._clock.now_ms()
        audit.add(self._database, now_ms, user.name, "changed password", user.name)
        changed = users.get(self._database, user.name)
        return self._begin(changed or user)


def first_admin(database: Database, clock: Clock) -> str | None:
    """Add the user ``admin`` to a hub without users; return the one-time password."""
    if users.count(database):
        return None
    return add_user(database, clock, "admin", "admin", actor="first start")


def add_user(database: Database, clock: Clock, name: str, role: str, actor: str) -> str:
    """Add a user and return a one-time password, which must be changed at the first sign-in."""
    if role not in ROLES:
        raise Refused(f"role {role!r}: choose one of {', '.join(ROLES)}")
    if not _is_name(name):
        raise Refused(f"user {name!r}: a name is lower-case letters, digits, dot, - and _")
    password = clock.token("password")[:20]
    now_ms = clock.now_ms()
    users.add(database, User(name, _hash(password), role, must_change=True, created_ms=now_ms))
    audit.add(database, now_ms, actor, "user added", name, {"role": role})
    return password


def check_password(name: str, password: str) -> None:
    """Refuse a password that is quickly guessed."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(f"A password has {SHORTEST} to {LONGEST} characters; a short sentence does.")
    plain = password.lower()
    left = plain.replace(name.lower(), "")
    for word in _COMMON:
        left = left.replace(word, "")
    if len(left) < SHORTEST // 2 or len(set(plain)) < SHORTEST // 2:
        raise Refused("This password is among the first that are tried; use a short sentence.")


def _is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and set(name) <= _NAME


def _hash(password: str) -> str:
    return _HASHER.hash(_bytes(password))


def _bytes(password: str) -> bytes:
    return password[:LONGEST].encode("utf-8", "surrogatepass")


def _fits(hash_: str, password: str) -> bool:
    try:
        return _HASHER.verify(hash_, _bytes(password))
    except (Argon2Error, InvalidHashError):
        return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
