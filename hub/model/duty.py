"""Changes of the roster that people agree on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Swap:
    """``takes`` works a turn of the roster in the place of ``gives``; both are people.

    ``turn`` is crew, shift and civil day, like ``duty/night/2026-11-20``.
    """

    turn: str
    gives: str
    takes: str
    id: str = ""
    actor: str = ""
    at_ms: int = 0
    note: str = ""
