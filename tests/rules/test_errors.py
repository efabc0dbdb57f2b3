"""The share of failed polls of a line: what was told holds, and delays end at their instant."""

from __future__ import annotations

import pytest

from rules.errors import Share
from tests.rules.making import MINUTE, make

KEYS = {"limit": 0.05, "clear": 0.01, "on_delay": "PT15M", "off_delay": "PT1H"}


def told(story: list[tuple[int, float]], until: int, *, cut: bool = False) -> list:
    """Tell (minute, share), and the time of every due; return (minute, raised)."""
    one, said = make("errors", **KEYS), []

    def let_pass(minute: int) -> None:
        while (due_ms := one.due_ms()) is not None and due_ms <= minute * MINUTE:
            step = one.tick(due_ms)
            said.append((step.at_ms // MINUTE, step.raised))

    for minute, share in story:
        let_pass(minute)
        if cut:
            state, one = one.save(), make("errors", **KEYS)
            one.load(state)
        one.hear(Share(minute * MINUTE, share))
    let_pass(until)
    return said


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "restarted"])
@pytest.mark.parametrize(
    ("story", "said"),
    [
        ([(1, 0.06)], [(16, True)]),
        ([(1, 0.05)], []),
        ([(1, 0.06), (10, 0.05)], []),
        ([(1, 0.06), (10, 0.4)], [(16, True)]),
        ([(1, 0.06), (20, 0.01)], [(16, True), (80, False)]),
        ([(1, 0.06), (20, 0.02)], [(16, True)]),
        ([(1, 0.06), (20, 0.01), (60, 0.02), (61, 0)], [(16, True), (121, False)]),
    ],
)
def test_a_share_raises_and_clears_with_its_delays(story, said, cut) -> None:
    assert told(story, 200, cut=cut) == said


def test_what_was_told_before_the_last_is_ignored() -> None:
    assert told([(5, 0.06), (5, 0.0), (4, 0.0)], 60) == [(20, True)]


def test_a_device_that_does_worse_than_its_line_counts() -> None:
    one = make("errors", **KEYS)
    one.hear(Share(MINUTE, 0.01, (("d/1", 0.3), ("d/2", 0.02))))

    assert one.due_ms() == 16 * MINUTE
    assert one.why(0)["devices"] == [["d/1", 0.3], ["d/2", 0.02]]
