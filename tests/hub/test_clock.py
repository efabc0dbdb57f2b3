"""Virtual time gives back what was made in it, and nothing else of it is touched."""

from __future__ import annotations

import pytest

from hub.clock import VirtualClock, VirtualLoop, run_virtual


class Day:
    """A day played, which counts how often it is spelled out."""

    spelled = 0

    def __repr__(self) -> str:
        self.spelled += 1
        return "a day of millions of readings"


def test_what_is_made_in_virtual_time_is_handed_back_without_spelling_it_out() -> None:
    day = Day()
    loop = VirtualLoop()
    clock = VirtualClock(loop, 0, seed=1)

    async def played() -> Day:
        await clock.sleep(86_400)
        return day

    assert run_virtual(loop, played()) is day
    assert (clock.now_ms(), day.spelled) == (86_400_000, 0)


def test_what_fails_in_virtual_time_fails_for_who_runs_it() -> None:
    async def broken() -> None:
        raise LookupError("no such device")

    with pytest.raises(LookupError, match="no such device"):
        run_virtual(VirtualLoop(), broken())
