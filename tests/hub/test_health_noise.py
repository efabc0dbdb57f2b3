"""Errors of a line: polls that fail although the devices answer; silence is none of them."""

from __future__ import annotations

from hub.health.noise import Noise

DEVICES = ["d/1", "d/2"]


def asked(noise: Noise, polls: str, device: str = "d/1", *, was_lost: bool = False) -> None:
    """Note polls: ``+`` answered, ``-`` not, ``~`` answered in part."""
    for poll in polls:
        if poll == "-":
            noise.failed(device)
        else:
            noise.answered(device, whole=poll == "+", was_lost=was_lost)


def test_nothing_is_told_before_enough_was_asked() -> None:
    noise = Noise(DEVICES)
    asked(noise, "-+" * 99 + "+")

    assert noise.news() is None

    asked(noise, "+")
    assert noise.news() == {"share": 99 / 200, "devices": [["d/1", 99 / 200]]}


def test_what_has_not_changed_is_no_news() -> None:
    noise = Noise(DEVICES)
    asked(noise, "+" * 200)

    assert noise.news() == {"share": 0.0, "devices": []}
    assert noise.news() is None
    asked(noise, "+" * 200)
    assert noise.news() is None


def test_an_answer_in_part_is_an_error() -> None:
    noise = Noise(DEVICES)
    asked(noise, "+" * 160 + "~+" * 20)

    assert noise.news() == {"share": 0.1, "devices": [["d/1", 0.1]]}


def test_a_burst_is_over_after_many_polls_that_went_well() -> None:
    noise = Noise(DEVICES)
    asked(noise, "+" * 140 + "-+" * 20 + "+" * 48)

    assert noise.news() == {"share": 0.1, "devices": [["d/1", 0.1]]}
    asked(noise, "+")
    assert noise.news() == {"share": 0.0, "devices": []}


def test_the_silence_of_a_device_that_was_lost_is_no_noise() -> None:
    noise = Noise(DEVICES)
    asked(noise, "+" * 200)
    asked(noise, "-" * 50, "d/2")
    asked(noise, "+", "d/2", was_lost=True)

    assert noise.news() == {"share": 0.0, "devices": []}


def test_a_line_that_is_silent_says_nothing_new() -> None:
    noise = Noise(DEVICES)
    asked(noise, "+" * 200)
    noise.news()
    asked(noise, "-" * 200)
    asked(noise, "-" * 200, "d/2")

    assert noise.news() is None


def test_one_bad_device_shows_on_a_good_line() -> None:
    noise = Noise(DEVICES)
    asked(noise, "+" * 180 + "-+" * 10, "d/2")
    asked(noise, "+" * 300)

    assert noise.news() == {"share": 0.0, "devices": [["d/2", 0.05]]}


def test_of_a_device_that_was_asked_seldom_no_share_is_told() -> None:
    noise = Noise(DEVICES)
    asked(noise, "+" * 180)
    asked(noise, "-+" * 10, "d/2")

    assert noise.news() == {"share": 0.05, "devices": []}
