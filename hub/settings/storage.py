"""How long readings are kept, and what is held beyond that."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from hub.settings.written import Duration, Spec

_Kept = Annotated[Duration, Field(ge=timedelta(days=2))]


class KeepSpec(Spec):
    """How long readings are kept as they were read; their roll-ups are kept for ever.

    ``counters`` bill people; ``gauges`` are all others.
    """

    gauges: _Kept = timedelta(days=60)
    counters: _Kept = timedelta(days=800)


class HoldSpec(Spec):
    """Readings that are kept beyond their time, for a dispute: civil days, from .. before until.

    One of ``place``, ``device`` and ``point`` says whose.
    """

    place: str | None = Field(None, min_length=1)
    device: str | None = Field(None, min_length=1)
    point: str | None = Field(None, min_length=1)
    from_: date = Field(alias="from")
    until: date
    reason: str = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _one_of_whom(self) -> HoldSpec:
        if sum(of is not None for of in (self.place, self.device, self.point)) != 1:
            raise ValueError("a hold names one of place, device and point")
        if self.until <= self.from_:
            raise ValueError("until is the first day that is not held; write one after from")
        return self
