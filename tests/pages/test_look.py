"""Every page in a real browser: nothing overflows, nothing is too small, nothing is blocked."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import sync_playwright

from hub.model import Batch
from tests.pages.look import FLAGS, chromium, look_at_all, played, served


@pytest.fixture(scope="module", autouse=True)
def _browser() -> None:
    if chromium() is None:
        text = "chromium is not installed; on Debian .ci/run installs it"
        if os.environ.get("CAMPUS_HUB_REQUIRE_SERVERS") == "1":
            pytest.fail(text)
        pytest.skip(text)


@pytest.fixture(scope="module")
def day():
    return played()


def test_no_page_overflows_errs_or_has_a_control_too_small_to_press(day):
    stage, token = day
    looks = look_at_all(stage, token, None)
    assert len(looks) >= 40
    assert [fault for one in looks for fault in one.faults] == []


def test_live_values_arrive_and_an_old_or_lost_page_says_so(day):
    stage, token = day
    number = stage.site.numbers["dorm-07/boiler-1/tank_temperature"]
    selector = '[data-point="dorm-07/boiler-1/tank_temperature"]:not(.age-only) output'
    with served(stage) as home, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        context = browser.new_context()
        context.add_cookies([{"name": "campus_hub", "value": token, "url": home}])
        page = context.new_page()
        page.goto(home + "/places/dorm-07")
        now_ms = stage.clock.now_ms()
        stage.live.update(Batch.of([number], [now_ms + 1], [33.3], [0], now_ms))
        page.wait_for_function(
            "(s) => document.querySelector(s).textContent === '33.3'", arg=selector
        )
        stage.live.update(Batch.of([number], [now_ms + 2], [float("nan")], [2], now_ms))
        page.wait_for_function(
            "(s) => document.querySelector(s).closest('.value').matches('.old')", arg=selector
        )
        assert page.text_content(selector) == "-"
        assert page.locator(".when-lost").is_hidden()
        page.evaluate("new Promise((r) => setTimeout(r, 50))")
        context.set_offline(True)
        browser_lost = "() => document.body.classList.contains('lost')"
        page.evaluate("dispatchEvent(new Event('offline'))")
        page.wait_for_function(browser_lost, timeout=20_000)
        assert page.locator(".when-lost").is_visible()
        browser.close()
