"""Lines to a server in pieces; where it refuses some, the bad ones alone become dead letters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hub.ports import StoreError
from hub.store.influx_server import RefusedLinesError, Server

log = logging.getLogger(__name__)

# As many as the vendor advises; a piece is written well within the time-out, and its text is
# below a megabyte, the least that proxies take.
PIECE = 5_000
Dead = Callable[[str, bytes], None]
"""Keep a line that the server refused: the server's reason, and the line."""


def nowhere(reason: str, line: bytes) -> None:
    """Keep no dead letters: the log has them."""


def cut(rows: int, piece: int = PIECE) -> Iterator[NDArray[np.intp]]:
    """Cut the numbers of rows into pieces; written and sent one by one, they take little memory.

    >>> [piece.tolist() for piece in cut(5, 3)]
    [[0, 1, 2], [3, 4]]
    """
    for begin in range(0, rows, piece):
        yield np.arange(begin, min(begin + piece, rows))


class Sender:
    """Sends lines to one bucket. Sending again what is there changes nothing."""

    def __init__(self, server: Server, bucket: str, dead: Dead) -> None:
        self._server = server
        self._bucket = bucket
        self._dead = dead
        self.refused = 0

    def send(
        self, pieces: Iterable[Sequence[str]], proven: Callable[[], None] | None = None
    ) -> set[int]:
        """Send lines, piece by piece; return the positions of those refused one by one.

        ``proven`` writes a line that is known to be right. Where it fails, too, the fault lies
        with the server or the way to it: StoreError, and nothing becomes a dead letter.
        """
        refused: set[int] = set()
        before = 0
        for lines in pieces:
            found = self._piece(lines, range(len(lines)), proven)
            refused.update(before + position for position in found)
            before += len(lines)
        return refused

    def _piece(
        self, lines: Sequence[str], piece: range, proven: Callable[[], None] | None
    ) -> set[int]:
        try:
            self._server.write(self._bucket, lines[piece.start : piece.stop])
        except RefusedLinesError as error:
            if proven is None:
                raise StoreError(f"influx: refuses the hub's own lines: {error}") from error
            proven()
            return self._halved(lines, piece, str(error))
        return set()

    def _halved(self, lines: Sequence[str], piece: range, reason: str) -> set[int]:
        """Find the bad lines of a refused piece by halving: at most 2 k log2 n questions."""
        if len(piece) == 1:
            self._bury(lines[piece.start], reason)
            return {piece.start}
        refused: set[int] = set()
        for half in (piece[: len(piece) // 2], piece[len(piece) // 2 :]):
            try:
                self._server.write(self._bucket, lines[half.start : half.stop])
            except RefusedLinesError as error:
                refused |= self._halved(lines, half, str(error))
        return refused

    def _bury(self, line: str, reason: str) -> None:
        self.refused += 1
        log.error("influx refused a reading, kept as a dead letter: %s: %s", line, reason)
        self._dead(reason, line.encode())
