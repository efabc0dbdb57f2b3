"""A4 sheets of labels as SVG, on the common label paper of 3 by 7 pieces of 63.5 x 38.1 mm."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args
from xml.sax.saxutils import escape

from hub.labels.label import PATH, Label, Labels, Subject
from hub.labels.qr import Drawn
from hub.model import Text
from hub.site import DeviceKind, PlaceKind, Site

KINDS: tuple[str, ...] = tuple(
    kind for kind in (*get_args(PlaceKind), *get_args(DeviceKind)) if kind not in ("campus", "hub")
)
DEFAULT_KINDS = ("room", "shower_room", "shower")
COLUMNS, ROWS = 3, 7
PER_SHEET = COLUMNS * ROWS
WIDTH_MM, HEIGHT_MM = 210, 297
LABEL_MM, LABEL_HEIGHT_MM, GAP_MM = 63.5, 38.1, 2.5
LEFT_MM, TOP_MM = 7.25, 15.15
CODE_MM = 34.0  # with its quiet zone
TEXT_MM = LABEL_MM - CODE_MM - 2
_WIDE = 0x2E80  # from here on letters are as wide as they are high
_LATIN_WIDTH = 0.56
INVITATION = Text("扫码报修", "Scan to report a fault")
FONT = "'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif"


class Line(NamedTuple):
    """One line beside a code: how high its letters are in mm, and how low it stands."""

    text: str
    size_mm: float
    low_mm: float
    weight: int = 400


def chosen(site: Site, kinds: Collection[str], place: str | None) -> list[Subject]:
    """Return what gets a label in the order in which one walks, a place before what it holds.

    ``place`` means it and everything below it.
    """
    places = [(one.id, "") for one in site.places.values() if one.kind in kinds]
    devices = [(one.place, one.id) for one in site.devices.values() if one.kind in kinds]
    wanted = [
        (where, device)
        for where, device in (*places, *devices)
        if place is None or f"{where}/".startswith(f"{place}/")
    ]
    wanted.sort(key=lambda one: (_walk(one[0]), _walk(one[1])))
    return [
        Subject("device", device) if device else Subject("place", where) for where, device in wanted
    ]


class Sheets:
    """Prints labels; ``address`` is what phones open, without a / at its end."""

    def __init__(self, site: Site, labels: Labels, address: str) -> None:
        self._site = site
        self._labels = labels
        self._address = address

    def write_html(self, subjects: Sequence[Subject], file: Path) -> int:
        """Write all sheets as one page to print, sheet by sheet; return how many there are."""
        with file.open("w", encoding="utf-8") as out:
            out.write(_HEAD.format(title=escape(self._site.name.zh)))
            out.writelines(f"{sheet}\n" for sheet in self._sheets(subjects))
            out.write("</body></html>\n")
        return -(-len(subjects) // PER_SHEET)

    def write_svg(self, subjects: Sequence[Subject], file: Path) -> int:
        """Write one file per sheet: FILE.svg where one is enough, else FILE-1.svg and so on."""
        count = -(-len(subjects) // PER_SHEET)
        for n, sheet in enumerate(self._sheets(subjects), 1):
            one = file.with_stem(f"{file.stem}-{n}") if count > 1 else file
            one.write_text(f"{sheet}\n", "utf-8")
        return count

    def _sheets(self, subjects: Sequence[Subject]) -> Iterator[str]:
        for first in range(0, len(subjects), PER_SHEET):
            some = subjects[first : first + PER_SHEET]
            drawn = "".join(self._at(n, subject) for n, subject in enumerate(some))
            yield (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" '
                f'height="{HEIGHT_MM}mm" viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}" '
                f'font-family="{FONT}">{drawn}</svg>'
            )

    def _at(self, n: int, subject: Subject) -> str:
        """Draw one label in its place on the sheet."""
        row, column = divmod(n, COLUMNS)
        x = LEFT_MM + column * (LABEL_MM + GAP_MM)
        y = TOP_MM + row * LABEL_HEIGHT_MM
        label = self._labels.of(subject)
        code = Drawn(f"{self._address}{PATH}{label.code}")
        scale = CODE_MM / code.side
        words = "".join(_written(line) for line in lines(self._site, label))
        top = (LABEL_HEIGHT_MM - CODE_MM) / 2
        return (
            f'<g transform="translate({x:g} {y:g})">'
            f'<path transform="translate(0 {top:g}) scale({scale:.5g})" stroke="#000"'
            f' d="{code.path}"/>{words}</g>'
        )


def lines(site: Site, label: Label) -> list[Line]:
    """Return what stands beside a code: the place in both languages, then the id."""
    path = [place.name for place in site.path(label.place)]
    building, inner = path[:1], path[1:]
    zh = " ".join(name.zh for name in inner) or (building[0].zh if building else "")
    en = " · ".join(name.en for name in inner)
    device = label.subject.id.rpartition("/")[2] if label.subject.kind == "device" else ""
    return [
        Line(INVITATION.zh, 3.6, 5.6, 700),
        Line(INVITATION.en, 2.2, 8.6),
        Line(building[0].zh if inner else "", 3.6, 14.4),
        Line(zh, 5.0, 20.2, 700),
        Line(device, 3.4, 24.8, 700),
        Line(building[0].en if building else "", 2.4, 29.2),
        Line(en, 2.4, 32.2),
        Line(label.subject.id, 2.0, 35.6),
    ]


def width_mm(text: str, size_mm: float) -> float:
    """Return about how wide a text is.

    >>> width_mm("北苑7栋", 4.0)
    14.24
    """
    return size_mm * sum(1.0 if ord(one) >= _WIDE else _LATIN_WIDTH for one in text)


def _written(line: Line) -> str:
    """Write a line; one that is too long gets smaller letters."""
    if not line.text:
        return ""
    size = line.size_mm * min(1.0, TEXT_MM / width_mm(line.text, line.size_mm))
    return (
        f'<text x="{CODE_MM:g}" y="{line.low_mm:g}" font-size="{size:.2f}"'
        f' font-weight="{line.weight}">{escape(line.text)}</text>'
    )


def _walk(id_: str) -> list[tuple[int, str]]:
    """Order numbers by their value: room 2 before room 10."""
    return [(int(one or 0), two) for one, two in re.findall(r"(\d*)(\D*)", id_)]


_HEAD = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>
<style>@page {{ size: A4; margin: 0 }} body {{ margin: 0 }}
svg {{ display: block; break-after: page }} svg:last-of-type {{ break-after: auto }}</style>
</head><body>
"""
