"""Residents of the stage: what they report, how it goes, and the pages that they see of it."""

# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw

from hub.labels import Subject
from hub.reports.desk import Answer
from hub.reports.said import Said
from tests.pages.stage import MINUTE_MS, Stage

ROOM, SHOWERS = "dorm-07/3/312", "dorm-07/1/shower-1"


def picture() -> bytes:
    """Draw what a resident might photograph."""
    image = Image.new("RGB", (1200, 900), "#9fb4c4")
    draw = ImageDraw.Draw(image)
    draw.rectangle((350, 120, 850, 780), fill="#dfe6ea", outline="#556", width=14)
    draw.line((400, 700, 820, 180), fill="#333", width=10)
    out = BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


async def report(stage: Stage, name: str, kind: str, words: str = "", **more: str) -> str:
    """Report something as a resident called ``name`` and return the address of the page."""
    token = name.ljust(43, "-")
    photo = await stage.parts.photos.keep(BytesIO(picture())) if words else ""
    said = Said(
        token=token,
        kind=kind,
        place=more.get("place", ROOM),
        device=more.get("device"),
        words=words,
        contact=more.get("contact", ""),
        photos=(photo,) if photo else (),
    )
    await stage.parts.reports.send(said)
    return f"/report/{token}"


async def work(stage: Stage, address: str, *kinds: str) -> None:
    """Let the crew do one thing after the other, three minutes each."""
    progress = await stage.parts.reports.progress(address.rpartition("/")[2])
    assert progress is not None
    for kind in kinds:
        stage.clock.instant_ms += 3 * MINUTE_MS
        at_ms = stage.clock.instant_ms
        said = {"ticket": progress.ticket.id, "kind": kind, "actor": "wang", "at_ms": at_ms}
        await stage.act({**said, "id": f"{address}/{kind}/{at_ms}"})


async def pages_of(stage: Stage) -> dict[str, str]:
    """Let residents report, the crew work and the residents answer; return their pages."""
    opened = await report(stage, "opened", "window", "关不上，风很大。", contact="13800000000")
    known = await report(stage, "known", "window", "我也是这扇窗。")
    there = await report(stage, "there", "socket", place="dorm-08/1/101")
    await work(stage, there, "acknowledge", "arrive")
    fixed = await report(stage, "fixed", "light", "洗手间的灯")
    await work(stage, fixed, "acknowledge", "arrive", "fix")
    closed = await report(stage, "closed", "tap", place="dorm-08/3/309")
    await work(stage, closed, "acknowledge", "arrive", "fix", "close")
    rated = await report(stage, "rated", "drain", "又堵了", place="dorm-08/3/310")
    await work(stage, rated, "acknowledge", "arrive", "fix", "close")
    token = rated.rpartition("/")[2]
    await stage.parts.reports.answer(token, Answer("rate", "来得很快", 4), 0)
    await stage.parts.reports.answer(token, Answer("complain", "走廊没有打扫", None), 1)
    labels = stage.parts.labels
    door, terminal = (
        labels.of(Subject(kind, id_)).code
        for kind, id_ in (("place", ROOM), ("device", "dorm-07/shower-1-01"))
    )
    return {
        "report": "/report",
        "report-building": "/report?place=dorm-07",
        "report-kind": f"/report?place={ROOM}",
        "report-form": f"/report?place={ROOM}&kind=light",
        "report-label": f"/q/{door}",
        "report-terminal": f"/q/{terminal}",
        "report-forged": f"/q/{door[:-1]}0",
        "progress-opened": opened,
        "progress-known": known,
        "progress-on-site": there,
        "progress-fixed": fixed,
        "progress-closed": closed,
        "progress-rated": rated,
        "progress-unknown": "/report/nothing-here",
    }
