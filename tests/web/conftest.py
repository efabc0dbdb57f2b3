"""A hub with a day behind it, and people who look at it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from argon2 import PasswordHasher

from hub.database import users
from hub.web import Parts, build
from tests.pages.stage import PASSWORD, Stage

HOME = "http://hub"
HASH = PasswordHasher(1, 8, 1).hash(PASSWORD)


class Person(httpx.AsyncClient):
    """A browser on the stage; ``csrf`` is the token of its session's forms."""

    csrf = ""

    async def send_form(self, path: str, **fields: str) -> httpx.Response:
        return await self.post(path, data={"csrf": self.csrf, **fields})

    async def send_json(self, path: str, content: object = None, **headers: str):
        headers = {
            "X-CSRF-Token": self.csrf,
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return await self.post(path, json={} if content is None else content, headers=headers)


def browser(stage: Stage | Parts) -> Person:
    parts = stage.parts if isinstance(stage, Stage) else stage
    transport = httpx.ASGITransport(build(parts), raise_app_exceptions=False)
    return Person(transport=transport, base_url=HOME)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def played() -> Stage:
    """Return a stage with two hours behind it."""
    stage = Stage()
    await stage.play_day(hours=2)
    return stage


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[Person]:
    """Somebody who has not signed in."""
    async with browser(stage) as person:
        yield person


@pytest.fixture
def sign_in() -> Callable:
    """Return a function that signs a new user of a role in on a stage."""

    async def do(stage: Stage, role: str = "admin", name: str | None = None) -> Person:
        # Straight into the tables: hashing a password takes a tenth of a second each time.
        name, now_ms = name or f"{role}-one", stage.clock.now_ms()
        users.add(stage.database, users.User(name, HASH, role, False, now_ms))
        digest = hashlib.sha256(f"token-{name}".encode()).hexdigest()
        session = users.Session(digest, name, f"csrf-{name}", now_ms, now_ms)
        users.create_session(stage.database, session)
        person = browser(stage)
        person.cookies.set("campus_hub", f"token-{name}")
        person.csrf = session.csrf
        return person

    return do
