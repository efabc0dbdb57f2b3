"""The form of service.yaml: what is promised for which work, when its clocks stand, who is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from hub.model import Json, Severity, written_duration
from rules.form import FormError, Id, Spec, Words

Target = Literal["response", "on_site", "fix", "crew"]
Source = Literal["alarm", "report", "round", "planned"]
Listener = Literal["on_duty", "assignee", "crew", "lead", "duty"]
SEVERITIES: tuple[Severity, ...] = ("small", "ordinary", "large")
DEFAULT = "default"  # the policy that the keys at the top of the file are
Span = Annotated[timedelta, BeforeValidator(written_duration), Field(gt=timedelta(0))]
Delay = Annotated[timedelta, BeforeValidator(written_duration), Field(ge=timedelta(0))]


def _share(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]?%", value):
        raise ValueError(f"{value!r} is no share of a time; write it like 25%")
    return value


Share = Annotated[str, AfterValidator(_share)]


def _kind_of_lead(value: Json) -> str:
    return "share" if isinstance(value, str) and value.endswith("%") else "span"


Lead = Annotated[
    Annotated[Share, Tag("share")] | Annotated[Span, Tag("span")], Discriminator(_kind_of_lead)
]
"""How long before a deadline: a time, or a share of the promised time like 25%."""


class Item(NamedTuple):
    """What a policy is chosen by; ``kind`` is that of a report, or the rule of an alarm."""

    source: Source
    kind: str
    severity: Severity
    place: str


class Scope(Spec):
    """What a policy is for; a key that is not there asks for nothing. Places with all inside."""

    sources: tuple[Source, ...] = ()
    kinds: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    places: tuple[str, ...] = ()

    def holds(self, item: Item) -> bool:
        """Tell whether a piece of work is meant."""
        asked = (
            (self.sources, item.source),
            (self.kinds, item.kind),
            (self.severities, item.severity),
        )
        if any(wanted and given not in wanted for wanted, given in asked):
            return False
        return not self.places or any(_inside(item.place, place) for place in self.places)


class Targets(Spec):
    """The promised spans; each severity has a repair target or a crew's arrival target.

    ``hours`` is a name of the calendar: the clocks count these hours only. None: 24 h a day.
    """

    hours: Id | None = None
    respond: Span
    on_site: Span
    fix: Mapping[Severity, Span] = Field(default_factory=dict)
    crew: Mapping[Severity, Span] = Field(default_factory=dict)

    def span(self, target: Target, severity: Severity) -> timedelta | None:
        """Return what is promised; None where there is no such target."""
        if target == "response":
            return self.respond
        if target == "on_site":
            return self.on_site
        return (self.fix if target == "fix" else self.crew).get(severity)

    def _each_once(self, severities: Iterable[Severity]) -> None:
        for severity in severities:
            if severity in self.fix and severity in self.crew:
                raise FormError(("crew", severity), "has a target under fix too; keep one of them")
            if severity not in self.fix and severity not in self.crew:
                raise FormError(("fix",), f"{severity} has no target, here or under crew; add it")


class Policy(Targets):
    """What is promised for some of the work."""

    id: Id
    for_: Scope = Field(default_factory=Scope, alias="for")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self._each_once(self.for_.severities or SEVERITIES)
        return self


class PauseForm(Spec):
    """A reason for which clocks stand; ``limit`` is for all pauses of a ticket with it together."""

    name: Words
    clocks: Annotated[tuple[Target, ...], Field(min_length=1)] = ("fix",)
    limit: Span
    needs_note: bool = True


class Rung(Spec):
    """One step of the ladder: ``at`` so long after a clock began, ``before`` or ``after`` its end.

    It is counted on the clock: time in which that stands does not count.
    """

    clock: Target
    at: Delay | None = None
    before: Lead | None = None
    after: Delay | None = None
    tell: Listener

    @model_validator(mode="after")
    def _one_instant(self) -> Self:
        if sum(one is not None for one in (self.at, self.before, self.after)) != 1:
            raise ValueError("a rung has one of at, before and after")
        return self

    @property
    def when(self) -> Literal["at", "before", "after"]:
        """Return on which side of its deadline it lies, or that it counts from the start."""
        if self.at is not None:
            return "at"
        return "after" if self.before is None else "before"

    @cached_property
    def id(self) -> str:
        """Return what a told rung is known by: what it says, not where it stands."""
        said = self.model_dump(mode="json", exclude_none=True)
        return " ".join(f"{key} {said[key]}" for key in ("clock", "at", "before", "after", "tell")
                        if key in said)  # fmt: skip


class Service(Targets):
    """service.yaml. The targets at the top are the policy ``default``; the first that fits counts.

    The same cause again within ``relapse`` of its closing opens the ticket again. A reported fix
    that nobody disputes for ``confirm`` is confirmed. What a phone did while it was ``offline``
    counts from its own instant when it is not older than that.
    """

    version: Literal[1]
    policies: tuple[Policy, ...] = ()
    pauses: Mapping[Id, PauseForm] = Field(default_factory=dict)
    ladder: tuple[Rung, ...] = ()
    relapse: Span = timedelta(days=3)
    confirm: Span = timedelta(days=7)
    offline: Span = timedelta(hours=4)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._each_once(SEVERITIES)
        ids = {DEFAULT}
        for n, policy in enumerate(self.policies):
            if policy.id in ids:
                raise FormError(("policies", n, "id"), f"{policy.id!r} is taken; ids are unique")
            ids.add(policy.id)
        rungs = [rung.id for rung in self.ladder]
        for n, rung in enumerate(rungs):
            if rung in rungs[:n]:
                raise FormError(("ladder", n), "is written twice; remove one")
        return self

    def policy_for(self, item: Item) -> Policy:
        """Return the policy of a piece of work: the first that is for it, else the default."""
        fitting = (policy for policy in self.policies if policy.for_.holds(item))
        return next(fitting, self._default)

    def policy(self, id_: str) -> Policy:
        """Return a policy by its id; the default when the configuration has it no more."""
        return self._policies.get(id_, self._default)

    @cached_property
    def _policies(self) -> Mapping[str, Policy]:
        return {one.id: one for one in self.policies}

    @cached_property
    def _default(self) -> Policy:
        top = {name: getattr(self, name) for name in Targets.model_fields}
        return Policy.model_construct(id=DEFAULT, for_=Scope(), **top)


def _inside(place: str, outer: str) -> bool:
    return place == outer or place.startswith(f"{outer}/")
