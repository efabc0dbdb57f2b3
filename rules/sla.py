"""The service promise: targets, deadlines and verdicts as plain arithmetic on instants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hub.model import Severity, written_duration

Target = Literal["response", "on_site", "fix", "crew"]
Verdict = Literal["running", "met", "breached"]
SEVERITIES: tuple[Severity, ...] = ("small", "ordinary", "large")
Span = Annotated[timedelta, BeforeValidator(written_duration), Field(gt=timedelta(0))]


class Promise(BaseModel):
    """What service.yaml promises; each severity has a repair target or a crew's arrival target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    respond: Span
    on_site: Span
    fix: Mapping[Severity, Span]
    crew: Mapping[Severity, Span]

    @model_validator(mode="after")
    def _each_severity_once(self) -> Promise:
        for severity in SEVERITIES:
            if (severity in self.fix) == (severity in self.crew):
                raise ValueError(f"severity {severity} needs one target, under fix or under crew")
        return self


class Deadlines(NamedTuple):
    """The instants by which a ticket's targets must be met; None where there is no such target."""

    respond_by_ms: int
    on_site_by_ms: int
    fix_by_ms: int | None
    crew_by_ms: int | None


def deadlines(promise: Promise, severity: Severity, opened_ms: int) -> Deadlines:
    """Return the deadlines of a ticket; elapsed time, so no calendar and no summer time enters.

    >>> promise = Promise(version=1, respond="PT5M", on_site="PT20M", crew={"large": "PT48H"},
    ...                   fix={"small": "PT2H", "ordinary": "PT12H"})
    >>> deadlines(promise, "small", 0)
    Deadlines(respond_by_ms=300000, on_site_by_ms=1200000, fix_by_ms=7200000, crew_by_ms=None)
    """
    fix, crew = promise.fix.get(severity), promise.crew.get(severity)
    return Deadlines(
        opened_ms + milliseconds(promise.respond),
        opened_ms + milliseconds(promise.on_site),
        None if fix is None else opened_ms + milliseconds(fix),
        None if crew is None else opened_ms + milliseconds(crew),
    )


def verdict(by_ms: int, done_ms: int | None, now_ms: int) -> Verdict:
    """Judge one target; met at exactly its limit is met."""
    if done_ms is not None:
        return "met" if done_ms <= by_ms else "breached"
    return "running" if now_ms <= by_ms else "breached"


def milliseconds(span: timedelta) -> int:
    """Return a span as whole milliseconds."""
    return span // timedelta(milliseconds=1)
