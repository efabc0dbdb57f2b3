"""The one door to segno: an address as the modules of a QR code."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import segno

from hub.ports import Refused

LARGEST_VERSION = 5  # 37 modules: at 26 mm each is 0.58 mm, which any phone reads at arm's length
QUIET = 4  # modules of white around it, as the standard asks


class Drawn:
    """A QR code as the strokes of an SVG whose unit is one module, quiet zone included."""

    def __init__(self, address: str) -> None:
        code = _code(address)
        self.version = int(code.version)
        self.side, _ = code.symbol_size(border=QUIET)
        self.path = _path(code.matrix_iter(border=QUIET))


def _code(address: str) -> segno.QRCode:
    """Return the code of an address; 15 % of it may be gone, of that of a long one 7 %."""
    for error in ("m", "l"):
        code = segno.make_qr(address, error=error, boost_error=False)
        if int(code.version) <= LARGEST_VERSION:
            return code
    raise Refused(
        f"{address}: too long for a label, at most 106 letters; shorten web.url of campus.yaml,"
        " or the id"
    )


def _path(rows: Iterable[Iterable[int]]) -> str:
    """Draw each run of dark modules of a row as a stroke one module wide.

    >>> _path([[0, 1, 1, 0, 1], [1, 0, 0, 0, 0]])
    'M1 0.5h2m1 0h1M0 1.5h1'
    """
    drawn = []
    for y, row in enumerate(rows):
        last = None
        for x, length in _runs(row):
            drawn.append(f"M{x} {y}.5" if last is None else f"m{x - last} 0")
            drawn.append(f"h{length}")
            last = x + length
    return "".join(drawn)


def _runs(row: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Find where dark modules follow each other: where they begin and how many they are."""
    x = 0
    for dark, run in itertools.groupby(row):
        length = len(list(run))
        if dark:
            yield x, length
        x += length
