"""The kinds of rule over the members of a place or gateway, which step with every reading."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from rules.form import Duration, PointForm, Spec

MemberKind = Literal["meter", "boiler", "shower"]


class Over(Spec):
    """Which devices below a place or behind a gateway are the members: of any kind without one."""

    kind: MemberKind | None = None
    profiles: tuple[str, ...] = ()


class MembersRule(PointForm):
    """A fault when something is so of any, all, so many (count) or a share of the members.

    It is that ``point`` was ``silent`` for so long, or is above or below a number. ``at_least`` is
    a number of members for ``count``, of 0 to 1 for ``share``; clear at or below ``clear`` of the
    same. A subject with fewer than ``members`` members, or with members on fewer than ``lines``
    lines (gateways, or the broker), has no such rule.
    """

    shown_unit: ClassVar[str | None] = ""
    kind: Literal["any", "all", "count", "share"]
    over: Over
    silent: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    above: float | None = None
    below: float | None = None
    at_least: float | None = Field(None, gt=0)
    clear: float | None = Field(None, ge=0)
    members: int = Field(2, ge=1)
    lines: int = Field(1, ge=1)

    @property
    def shown_limit(self) -> float:
        """Return the number that an alarm shows beside its value: of members, or their share."""
        return self.at_least if self.at_least is not None else 1.0

    @property
    def delay(self) -> timedelta:
        """Return the on-delay, after the members have been silent for as long as is asked."""
        return self.on_delay + (self.silent or timedelta(0))

    @model_validator(mode="after")
    def _one_condition(self) -> MembersRule:
        if sum(test is not None for test in (self.silent, self.above, self.below)) != 1:
            raise ValueError("one of silent, above and below is asked of the members")
        if self.proof is not None:
            raise ValueError("a rule over members has no proof but that it is clear")
        return self

    @model_validator(mode="after")
    def _measure(self) -> MembersRule:
        if (self.at_least is None) == (self.kind in ("count", "share")):
            raise ValueError("at_least belongs to count and share, which need it")
        if self.kind == "share" and (self.at_least or 0.0) > 1:
            raise ValueError("at_least of a share is 0 to 1")
        if self.clear is not None and self.at_least is None:
            raise ValueError("clear belongs to count and share")
        if self.clear is not None and self.clear >= (self.at_least or 0.0):
            raise ValueError("clear must be below at_least")
        return self
