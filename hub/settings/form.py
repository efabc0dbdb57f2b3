"""Check the form of a document and say each mistake in words that tell what to write."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from hub.model import Json
from hub.settings.source import Document, Key, Problem

T = TypeVar("T")
_SAYINGS = {
    "missing": "missing; add it",
    "union_tag_not_found": "missing; add it",
    "union_tag_invalid": "must be one of {expected_tags}, not '{tag}'",
    "value_error": "{error}",
    "string_pattern_mismatch": (
        "{value} is no id: lower-case letters, digits and single -, / between levels"
    ),
    "too_short": "must have at least {min_length} entry, and has {actual_length}",
    "time_delta_parsing": "{value} is no duration; write it like PT30S, PT5M, PT2H or P7D",
}
_FEW = 20
_LONGEST = 60
_MANY = 500  # a suggestion among thousands of ids costs more time than it helps


def fitted(document: Document, adapter: TypeAdapter[T], problems: list[Problem]) -> T | None:
    """Return the document as its model; what is wrong with its form goes to ``problems``."""
    try:
        return adapter.validate_python(document.data)
    except ValidationError as error:
        schema = adapter.json_schema()
        for detail in error.errors(include_url=False):
            if detail["type"] == "too_short" and detail["input"]:
                continue  # said of a list that is empty only because all its entries are wrong
            key = _key(document.data, detail)
            problems.append(document.problem(key, _message(detail, key, schema)))
        return None


def suggestion(word: str, known: Sequence[str]) -> str:
    """Say which known word was probably meant, or list the words when they are few."""
    if len(known) > _MANY:
        return ""
    if near := difflib.get_close_matches(word, known, 1, 0.7):
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= _FEW else ""


def _key(data: Json, detail: ErrorDetails) -> Key:
    """Drop from pydantic's path what does not stand in the file: the names of union members."""
    key: Key = ()
    here = data
    last = len(detail["loc"]) - 1
    for n, part in enumerate(detail["loc"]):
        inside = isinstance(here, dict) and part in here
        within = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if inside or within:
            here = here[part]
            key = (*key, part)
        elif n == last and detail["type"] == "missing":
            key = (*key, part)
    key = (*key, *getattr(detail.get("ctx", {}).get("error"), "key", ()))
    if detail["type"].startswith("union_tag"):
        key = (*key, detail["ctx"]["discriminator"].strip("'"))
    return key


def _message(detail: ErrorDetails, key: Key, schema: Mapping[str, Json]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = sorted(_properties(schema, detail["loc"][:-1]))
        return f"unknown key{suggestion(str(key[-1]), known)}"
    if kind in _SAYINGS:
        context = {**detail.get("ctx", {}), "value": _short(detail["input"])}
        return _SAYINGS[kind].format(**context)
    said = detail["msg"].replace("Input should", "must", 1)
    quotes = "; put it in quotes" if kind == "string_type" and _is_number(detail["input"]) else ""
    return f"{said[:1].lower()}{said[1:]}, not {_short(detail['input'])}{quotes}"


def _short(value: Json) -> str:
    if value is None:
        return "empty"
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "a group of keys"
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float))


def _properties(schema: Mapping[str, Json], loc: Sequence[str | int]) -> list[str]:
    """Return the keys that the model at ``loc`` has, by its JSON Schema."""
    here = _resolved(schema, schema)
    for part in loc:
        here = _resolved(schema, _inner(here, part))
    return list(here.get("properties", {}))


def _inner(here: Mapping[str, Json], part: str | int) -> Mapping[str, Json]:
    if isinstance(part, int):
        return _mapping(here.get("items"))
    if part in here.get("properties", {}):
        return _mapping(here["properties"][part])
    if part in (mapping := here.get("discriminator", {}).get("mapping", {})):
        return {"$ref": mapping[part]}
    return _mapping(here.get("additionalProperties"))


def _resolved(schema: Mapping[str, Json], here: Mapping[str, Json]) -> Mapping[str, Json]:
    for option in here.get("anyOf", ()):  # an optional group: what it is when it is there
        if option.get("type") != "null":
            here = {**here, **option}
    while isinstance(reference := here.get("$ref"), str):
        here = schema["$defs"][reference.rpartition("/")[2]]
    return here


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
