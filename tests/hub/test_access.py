"""Who may see and do what: one-time passwords, sessions that end, guesses that run dry."""

import asyncio
import hashlib
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from hub import access
from hub.access import MAY, Access, SignedIn, add_user, check_password, first_admin, may
from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.database import audit, users
from hub.database.connection import Database, open_database
from hub.ports import Refused

SHIPPED = access._HASHER  # before tests hash lightly
NEW = "warm water for everybody"
MINUTE = 60


class Hall:
    """A hub's access in virtual time, used the way the web uses it."""

    def __init__(self, loop: VirtualLoop, database: Database) -> None:
        self.loop = loop
        self.database = database
        self.clock = VirtualClock(loop, 1_795_000_000_000, seed=1)
        self.password = first_admin(database, self.clock) or ""
        self.access = Access(database, self.clock.worker("access"), self.clock)

    def run(self, job: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(job)

    def wait(self, seconds: float) -> None:
        self.run(self.clock.sleep(seconds))

    def sign_in(self, password: str, name: str = "admin", source: str = "10.0.0.1") -> SignedIn:
        return self.run(self.access.sign_in(name, password, source))

    def viewer(self, token: str) -> access.Viewer | None:
        return self.run(self.access.viewer(token))

    def guess(self, name: str = "admin", source: str = "10.0.0.1") -> str:
        with pytest.raises(Refused) as refused:
            self.sign_in("no idea at all", name, source)
        return str(refused.value)


@pytest.fixture
def hall() -> Iterator[Hall]:
    loop = VirtualLoop()
    database = open_database(":memory:")
    yield Hall(loop, database)
    database.close()
    loop.close()


def test_the_first_start_gives_a_one_time_password_once(hall: Hall) -> None:
    assert len(hall.password) == 20
    assert first_admin(hall.database, hall.clock) is None
    viewer = hall.sign_in(hall.password).viewer
    assert (viewer.name, viewer.role, viewer.must_change) == ("admin", "admin", True)


def test_passwords_and_tokens_are_kept_only_as_hashes(hall: Hall) -> None:
    token = hall.sign_in(hall.password).token
    user = users.get(hall.database, "admin")
    assert user is not None
    assert user.password.startswith("$argon2id$")
    assert users.get_session(hall.database, token) is None
    assert users.get_session(hall.database, hashlib.sha256(token.encode()).hexdigest())


def test_the_cost_of_a_hash_is_that_of_the_library() -> None:
    assert SHIPPED.memory_cost >= 47104  # OWASP's least for one pass is 46 MiB
    assert len(RealClock().token("session")) == 43  # 256 bits


def test_a_changed_password_ends_every_session_and_begins_a_new_one(hall: Hall) -> None:
    elsewhere = hall.sign_in(hall.password).token
    token = hall.sign_in(hall.password).token
    changed = hall.run(hall.access.change_password(token, hall.password, NEW))
    assert not changed.viewer.must_change
    assert hall.viewer(elsewhere) is None
    assert hall.viewer(token) is None
    assert hall.viewer(changed.token) == changed.viewer
    assert not hall.sign_in(NEW).viewer.must_change
    with pytest.raises(Refused, match="is wrong"):
        hall.sign_in(hall.password)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("not the old one", NEW, "old password is wrong"),
        (None, "short", "12 to 200 characters"),
        (None, None, "is the old one"),
        (None, "adminadminadmin", "first that are tried"),
        (None, "aaaaaaaaaaaaaaaa", "first that are tried"),
        (None, "Password1234567890", "first that are tried"),
    ],
)
def test_a_bad_new_password_changes_nothing(
    hall: Hall, old: str | None, new: str | None, expected: str
) -> None:
    token = hall.sign_in(hall.password).token
    change = hall.access.change_password(token, old or hall.password, new or hall.password)
    with pytest.raises(Refused, match=expected):
        hall.run(change)
    assert hall.viewer(token)
    assert hall.sign_in(hall.password)


def test_nobody_changes_a_password_without_a_session(hall: Hall) -> None:
    with pytest.raises(Refused, match="sign in again"):
        hall.run(hall.access.change_password("made up", hall.password, NEW))


def test_a_session_ends_when_idle(hall: Hall) -> None:
    token = hall.sign_in(hall.password).token
    for _ in range(3):
        hall.wait(29 * MINUTE)
        assert hall.viewer(token), "each use keeps it alive"
    hall.wait(30 * MINUTE)
    assert hall.viewer(token) is None
    assert hall.viewer(token) is None


def test_a_session_ends_after_twelve_hours_of_use(hall: Hall) -> None:
    token = hall.sign_in(hall.password).token
    for _ in range(12 * 3 - 1):
        hall.wait(20 * MINUTE)
        assert hall.viewer(token)
    hall.wait(20 * MINUTE)
    assert hall.viewer(token) is None


def test_signing_out_ends_the_session_at_once(hall: Hall) -> None:
    token = hall.sign_in(hall.password).token
    hall.run(hall.access.sign_out(token))
    assert hall.viewer(token) is None


def test_every_sign_in_has_its_own_tokens(hall: Hall) -> None:
    first, second = hall.sign_in(hall.password), hall.sign_in(hall.password)
    assert len({first.token, second.token, first.viewer.csrf, second.viewer.csrf}) == 4


def test_a_lowered_role_counts_from_the_next_request(hall: Hall) -> None:
    token = hall.sign_in(hall.password).token
    with hall.database.write() as connection:
        connection.exec_driver_sql("UPDATE users SET role = 'energy'")
    viewer = hall.viewer(token)
    assert viewer is not None
    assert viewer.role == "energy"


def test_of_a_thousand_guesses_few_are_checked(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = 0
    fits = access._fits

    def counted(hash_: str, password: str) -> bool:
        nonlocal checked
        checked += 1
        return fits(hash_, password)

    monkeypatch.setattr(access, "_fits", counted)
    answers = [hall.guess(source=f"10.0.{n % 50}.1") for n in range(1000)]
    assert "Too many wrong passwords; try again in 60 s." in answers
    assert checked == 20


def test_who_guesses_from_one_place_does_not_keep_the_owner_out(hall: Hall) -> None:
    for _ in range(200):
        hall.guess(source="10.6.6.6")
        hall.wait(5)
    assert hall.sign_in(hall.password, source="10.0.0.1")


def test_guesses_at_once_do_not_slip_through(hall: Hall) -> None:
    async def all_at_once() -> list[BaseException | SignedIn]:
        tries = [hall.access.sign_in("admin", f"guess {n}", "10.0.0.1") for n in range(50)]
        return await asyncio.gather(*tries, return_exceptions=True)

    answers = [str(answer) for answer in hall.run(all_at_once())]
    assert sum("is wrong" in answer for answer in answers) == access.TRIES_PER_PAIR


def test_a_used_up_allowance_refills(hall: Hall) -> None:
    for _ in range(access.TRIES_PER_PAIR):
        assert "is wrong" in hall.guess()
    assert "try again in" in hall.guess()
    with pytest.raises(Refused, match="try again in 60 s"):
        hall.sign_in(hall.password)
    hall.wait(MINUTE)
    assert hall.sign_in(hall.password)


def test_right_passwords_use_nothing_up(hall: Hall) -> None:
    for _ in range(50):
        assert hall.sign_in(hall.password)


def test_an_unknown_name_costs_a_check_and_gets_the_same_answer(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = []
    fits = access._fits
    monkeypatch.setattr(access, "_fits", lambda h, p: hashes.append(h) or fits(h, p))
    assert hall.guess("nobody-here") == hall.guess("admin") == hall.guess("'; DROP\x00 \ud800")
    assert [hash_[:9] for hash_ in hashes] == ["$argon2id"] * 3, "each costs what a real one does"


def test_who_signed_in_or_failed_to_is_written_down(hall: Hall) -> None:
    hall.guess()
    hall.guess("\x00\n[evil]" * 100)
    hall.sign_in(hall.password)
    lines = [(line.action, line.subject) for line in audit.latest(hall.database)]
    assert lines == [
        ("signed in", "admin"),
        ("sign-in refused", "(no name)"),
        ("sign-in refused", "admin"),
        ("user added", "admin"),
    ]
    assert hall.password not in str(audit.latest(hall.database))


@pytest.mark.parametrize("name", ["", "Admin", "a b", "a\n", "x" * 101, "张"])
def test_a_name_that_is_none_is_refused(hall: Hall, name: str) -> None:
    with pytest.raises(Refused, match="a name is lower-case letters"):
        add_user(hall.database, hall.clock, name, "crew", actor="admin")


def test_a_user_is_added_once_with_a_known_role(hall: Hall) -> None:
    password = add_user(hall.database, hall.clock, "li.wei", "crew", actor="admin")
    assert hall.sign_in(password, "li.wei").viewer.role == "crew"
    with pytest.raises(Refused, match="taken"):
        add_user(hall.database, hall.clock, "li.wei", "crew", actor="admin")
    with pytest.raises(Refused, match="choose one of admin, energy, duty, crew"):
        add_user(hall.database, hall.clock, "boss", "boss", actor="admin")


def test_a_long_password_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(Refused, match="12 to 200"):
        check_password("admin", "long " * 100_000)


def test_what_each_role_may_do_stands_in_one_table() -> None:
    rights = {"look": 1, "work": 2, "own": 3, "close": 4, "assign": 5, "shelve": 6, "meters": 7}
    rights |= {"command": 8, "simulate": 9, "administer": 0}
    table = {role: {rights[right] for right in rights if may(role, right)} for role in MAY}
    assert table == {
        "admin": {1, 2, 4, 5, 6, 7, 8, 9, 0},
        "energy": {1, 7},
        "duty": {1, 2, 4, 5, 6, 7, 8, 9},
        "crew": {1, 2},
        "contractor": {3},
    }
    assert not may("admin", "fly")
    assert not may("stranger", "look")


def test_memory_stays_bounded_while_names_are_guessed() -> None:
    tries = access.Tries()
    for n in range(60_000):
        tries.take({f"as {n}": 20}, now_ms=n * 100)
    assert len(tries._used) <= 10_001
