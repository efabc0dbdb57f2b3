"""Room on the disk for what must be kept when there is no more of it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

RESERVE_BYTES = 64_000_000
NAME = "reserve"


def free_bytes(folder: Path) -> int:
    """Return what an ordinary account may still write on the disk of a folder."""
    return shutil.disk_usage(folder).free


class Room:
    """A reserve in the data folder that is given up when the disk is full.

    While :attr:`full`, readings are held in memory and nothing is recorded, so that what the
    reserve gave goes to tickets, actions and audit. It is over when the reserve can be taken again
    and half of it is left beside; so the hub never takes the last byte of a disk that is shared.

    Without a ``folder`` there is nothing to reserve: it is only noted that writing fails.
    """

    def __init__(
        self,
        folder: Path | None = None,
        size: int = RESERVE_BYTES,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._file = folder / NAME if folder else None
        self._folder = folder
        self._size = size
        self._free_of = free
        self.full = False
        if folder is not None and not self._take():
            log.warning("disk of %s: no room for a reserve of %s bytes; make room", folder, size)

    def free(self) -> int | None:
        """Return the bytes that are free, without the reserve; None where no disk is used."""
        return None if self._folder is None else self._free_of(self._folder)

    def look(self) -> None:
        """Give the reserve up before the disk is full for tickets and readings alike."""
        free = self.free()
        if self.full or free is None or self._file is None:
            return
        if free < self._size // 8:
            self.give_up(f"{free} bytes are free")
        elif not self._file.exists():
            self.may_try()

    def give_up(self, why: str) -> None:
        """Begin to hold readings, and leave the reserve to what is small and must be kept."""
        if not self.full:
            log.error("disk full: readings are held in memory, nothing is acknowledged: %s", why)
        self.full = True
        if self._file is not None:
            try:
                self._file.unlink(missing_ok=True)
            except OSError as error:
                log.error("reserve %s cannot be given up: %s", self._file, error)  # noqa: TRY400

    def may_try(self) -> bool:
        """Take the reserve again if there is room; return whether readings may be tried."""
        free = self.free()
        return free is None or (free >= self._size * 3 // 2 and self._take())

    def over(self) -> None:
        """Note that readings can be written again."""
        if self.full:
            log.warning("disk has room again: readings are kept again")
        self.full = False

    def _take(self) -> bool:
        if self._file is None:
            return True
        try:
            with self._file.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)
            return False
        return True

    def close(self) -> None:
        """Give the reserve back: a hub that stands still needs none."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
