"""One hub per data folder, and the way to its socket there."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from hub.ports import StartError


@contextlib.contextmanager
def held(file: Path) -> Iterator[None]:
    """Make the folder of a lock file and hold it against a second hub, or raise StartError."""
    folder = file.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = file.open("w")
    except OSError as error:
        raise StartError(
            f"the data folder {folder} cannot be written: {error.strerror}; "
            "give the hub's account the right to write there, or change data in campus.yaml"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartError(
                f"another hub uses the data folder {folder}; stop it first, "
                "or give this one a folder of its own (data in campus.yaml)"
            ) from error
        yield


def is_held(file: Path) -> bool:
    """Tell whether a hub runs on the folder of a lock file."""
    try:
        with file.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def short_path(file: Path) -> Iterator[str]:
    """Yield a path of a socket file that is short enough for the system: 107 bytes are the most."""
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{file.name}"
    finally:
        os.close(folder)
