"""A report in a real browser, on a phone without JavaScript, from the code to the stars."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from hub.database import records
from hub.labels import Subject
from tests.pages import residents
from tests.pages.look import FLAGS, MEASURE, chromium, served
from tests.pages.stage import Stage

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(autouse=True)
def _browser() -> None:
    if chromium() is None:
        text = "chromium is not installed; on Debian .ci/run installs it"
        if os.environ.get("CAMPUS_HUB_REQUIRE_SERVERS") == "1":
            pytest.fail(text)
        pytest.skip(text)


def beside(job: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: the browser's loop runs in this one."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(job)))
    thread.start()
    thread.join()
    return found[0]


def report(page: Page, home: str, code: str) -> str:
    """Report a light by the label on the door and return the address of the report's page."""
    page.goto(f"{home}/q/{code}")
    page.get_by_role("link", name="灯不亮").click()
    page.get_by_label("补充说明").fill("一直闪 " + HOSTILE)
    photo = {"name": "灯.jpg", "mimeType": "image/jpeg", "buffer": residents.picture()}
    page.get_by_label("照片").set_input_files([photo])
    page.get_by_role("button", name="提交报修").click()
    page.wait_for_url("**/report/*")
    assert "已收到" in page.locator(".stands").inner_text()
    assert "一直闪 <script>alert(1)" in page.locator(".guide").inner_text()
    width = "document.querySelector('.photos img').naturalWidth"
    assert page.evaluate(width) == 1200  # it was sent, kept and is shown again
    assert page.evaluate(MEASURE) == {"overflow": 0, "small": []}
    return page.url


def rated(page: Page, address: str) -> None:
    """Confirm the fix and rate it."""
    page.goto(address)
    page.get_by_role("button", name="修好了").click()
    page.get_by_label("非常满意", exact=False).first.check()
    page.get_by_role("button", name="提交评价").click()
    assert "★★★★★ 谢谢" in page.locator("main").inner_text()


def seen_by_crew(browser: Browser, home: str, stage: Stage, addresses: list[str]) -> list[str]:
    """Look at addresses with JavaScript and a session; return what a script has said."""
    context = browser.new_context(locale="zh-CN")
    token, _ = beside(stage.cookie())
    context.add_cookies([{"name": "campus_hub", "value": token, "url": home}])
    page, said = context.new_page(), []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    for address in addresses:
        page.goto(address)
        assert "alert(1)" in page.locator("main").inner_text()
    return said


def test_a_light_is_reported_by_its_label_mended_and_rated_on_a_phone_without_javascript():
    stage = Stage()
    code = stage.parts.labels.of(Subject("place", residents.ROOM)).code
    with served(stage) as home, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        phone = browser.new_context(
            viewport={"width": 360, "height": 740}, java_script_enabled=False, locale="zh-CN"
        )
        page = phone.new_page()
        address = report(page, home, code)
        (ticket,) = records.open_tickets(stage.database)
        beside(residents.work(stage, address, "acknowledge", "arrive", "fix"))
        rated(page, address)
        kinds = [one.kind for one in records.events(stage.database, ticket.id)]
        assert kinds == ["opened", "acknowledged", "arrived", "fix_reported", "closed", "rated"]
        pages = [address, f"{home}/tickets/{ticket.id}"]
        assert seen_by_crew(browser, home, stage, pages) == []
        browser.close()
