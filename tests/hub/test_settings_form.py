"""What is said of a document of a wrong form: each mistake once, at its key, with what to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from hub.model import Json
from hub.settings.form import fitted, suggestion
from hub.settings.source import Document, Problem
from rules.form import Duration, FormError, Id


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cat(Spec):
    kind: Literal["cat"]
    lives: int = 9


class Dog(Spec):
    kind: Literal["dog"]
    name: str


class Nest(Spec):
    height: float | None = None


class House(Spec):
    id: Id
    pets: tuple[Annotated[Cat | Dog, Field(discriminator="kind")], ...] = Field(min_length=1)
    nest: Nest | None = None
    rooms: dict[str, Nest] = {}
    rest: Duration = timedelta(0)
    pause: timedelta = timedelta(0)

    @model_validator(mode="after")
    def _no_ghosts(self) -> House:
        if self.id == "ghost":
            raise FormError(("pets", 0, "kind"), "ghosts have none")
        return self


WELL: Json = {"id": "a", "pets": [{"kind": "cat"}]}


def said(data: Json) -> list[tuple[str, str]]:
    problems: list[Problem] = []
    fitted(Document("house.yaml", data, {}), TypeAdapter(House), problems)
    return [(one.key, one.message) for one in problems]


@pytest.mark.parametrize(
    ("wrong", "key", "words"),
    [
        ({"id": None}, "id", "must be a valid string, not empty"),
        ({"id": 12}, "id", "must be a valid string, not 12; put it in quotes"),
        ({"id": ["a"]}, "id", "must be a valid string, not a list"),
        ({"id": {"a": 1}}, "id", "must be a valid string, not a group of keys"),
        ({"id": "A b"}, "id", "'A b' is no id: lower-case letters"),
        ({"id": "ghost"}, "pets[0].kind", "ghosts have none"),
        ({"pets": []}, "pets", "must have at least 1 entry, and has 0"),
        ({"pets": [{}]}, "pets[0].kind", "missing; add it"),
        ({"pets": [{"kind": "cow"}]}, "pets[0].kind", "must be one of 'cat', 'dog', not 'cow'"),
        ({"pets": [{"kind": "dog"}]}, "pets[0].name", "missing; add it"),
        ({"pets": [{"kind": "cat", "live": 7}]}, "pets[0].live", "did you mean 'lives'"),
        ({"nest": {"hight": 3}}, "nest.hight", "unknown key; did you mean 'height'?"),
        ({"rooms": {"hall": {"hight": 3}}}, "rooms.hall.hight", "did you mean 'height'"),
        ({"nest": {"height": "x" * 90}}, "nest.height", f"not '{'x' * 59}..."),
        ({"rest": "soon"}, "rest", "a duration is written like PT30S"),
        ({"pause": "soon"}, "pause", "'soon' is no duration; write it like PT30S"),
        ({"pet": 1}, "pet", "unknown key; did you mean 'pets'?"),
    ],
)
def test_a_mistake_is_said_once_at_its_key(wrong: Json, key: str, words: str) -> None:
    (one,) = said({**WELL, **wrong})
    assert one[0] == key
    assert words in one[1]


def test_a_document_without_mistakes_is_its_model() -> None:
    problems: list[Problem] = []
    house = fitted(Document("house.yaml", WELL, {}), TypeAdapter(House), problems)
    assert house is not None
    assert (house.id, problems) == ("a", [])


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (["power", "flow"], "; did you mean 'power'?"),
        (["a", "b"], "; known: a, b"),
        ([], ""),
        ([f"w{n}" for n in range(21)], ""),  # too many to list
        (["power"] * 501, ""),  # too many to compare
    ],
)
def test_a_word_is_suggested_where_that_helps(known: list[str], words: str) -> None:
    assert suggestion("powr", known) == words
