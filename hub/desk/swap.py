"""Swaps of turns that people agree on, unless one leaves a gap or puts somebody on two turns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from hub.desk.action import Action
from hub.desk.section import Swapping
from hub.model import Swap
from hub.ports import Refused
from rules.coverage import Gap, clashes, gaps
from rules.roster import Roster, Turn

_AROUND_MS = 2 * 86_400_000  # a turn lasts a day at most, and touches those of the days around it


def swaps_of(action: Action, swapping: Swapping, now_ms: int) -> tuple[Swap, ...]:
    """Return what an action swaps: one turn, or one for another."""
    legs = [(swapping.turn, swapping.gives, swapping.takes)]
    if swapping.back is not None:
        legs.append((swapping.back, swapping.takes, swapping.gives))
    return tuple(
        Swap(*leg, id=_swap_id(action.id, n), actor=action.actor, at_ms=now_ms, note=action.note)
        for n, leg in enumerate(legs)
    )


def check(roster: Roster, swaps: Sequence[Swap], places: Sequence[str], now_ms: int) -> Roster:
    """Return the roster with swaps that can be made; Refused with what is in their way."""
    turns = [_turn(roster, swap, now_ms) for swap in swaps]
    after = roster.with_swaps([*roster.swaps, *swaps])
    start_ms = min(turn.start_ms for turn in turns) - _AROUND_MS
    end_ms = max(turn.end_ms for turn in turns) + _AROUND_MS
    touched = {turn.id for turn in turns}
    for clash in clashes(after.turns(start_ms, end_ms)):
        if touched & {clash.first, clash.second}:
            raise Refused(
                f"{clash.person} would be on two shifts at once: {clash.first} and {clash.second};"
                " swap with somebody who is free"
            )
    for turn in turns:
        span = (places, turn.start_ms, turn.end_ms)
        for gap in gaps(after, *span):
            if not _known(gap, gaps(roster, *span)):
                what = f"{gap.skill or 'anybody'} at {gap.place or 'the whole campus'}"
                raise Refused(f"{turn.id} would not be covered for {what}; swap with another one")
    return after


def _turn(roster: Roster, swap: Swap, now_ms: int) -> Turn:
    """Return the turn that is swapped, or raise Refused where these two cannot swap it."""
    turn = roster.turn(swap.turn)
    if turn is None:
        raise Refused(f"there is no shift {swap.turn}; GET /api/v1/roster lists them")
    if turn.end_ms <= now_ms:
        raise Refused(f"{turn.id} is over; nothing can be swapped any more")
    if swap.gives not in turn.people:
        raise Refused(f"{swap.gives} is not on {turn.id}; {', '.join(turn.people)} is")
    crew = roster.crews[turn.crew]
    if swap.takes not in crew.members:
        raise Refused(f"{swap.takes} is no member of {crew.id}; its shifts are for its members")
    if swap.takes in turn.people:
        raise Refused(f"{swap.takes} is on {turn.id} already; nothing would change")
    return turn


def _known(gap: Gap, before: Iterable[Gap]) -> bool:
    """Tell whether as much was missing before, so that the swap makes nothing worse."""
    return any(
        (one.place, one.skill, one.least) == (gap.place, gap.skill, gap.least)
        and one.start_ms <= gap.start_ms
        and gap.end_ms <= one.end_ms
        and len(one.on_duty) <= len(gap.on_duty)
        for one in before
    )


def _swap_id(action: str, n: int) -> str:
    return hashlib.sha256(f"{action}|{n}".encode()).hexdigest()[:20]
