"""The demonstration tells the one story over real sockets and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.program import CHECKOUT, COMMAND, wait_for

SELFTEST_S = 180


@contextlib.contextmanager
def _demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demonstration in a session of its own, with a folder for temporary files.

    It begins as a shell begins what it puts into the background: with SIGINT ignored. Whatever the
    test finds, nothing of it is left behind, which would fail another test.
    """
    demo = subprocess.Popen(
        [*COMMAND, "demo", *options],
        cwd=CHECKOUT,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - one call, no lock
    )
    try:
        yield demo
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.communicate()


def _left_of(session: int) -> list[str]:
    """Return the processes of a session that still run."""
    left = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            left.append(path.parent.name)
    return left


@pytest.mark.slow
@pytest.mark.timeout(SELFTEST_S + 30)
def test_the_selftest_ends_well_and_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    with _demo(tmp_path, "--selftest") as demo:
        said, _ = demo.communicate(timeout=SELFTEST_S)

    assert demo.returncode == 0, said
    assert said.rstrip().endswith("selftest: held")
    assert "Traceback" not in said
    assert _left_of(demo.pid) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demonstration_that_is_stopped_leaves_nothing_either(
    tmp_path: Path, number: signal.Signals
) -> None:
    with _demo(tmp_path, "--selftest") as demo:
        wait_for("the hub", lambda: list(tmp_path.glob("*/var/hub.sqlite")))
        demo.send_signal(number)
        said, _ = demo.communicate(timeout=60)

    assert demo.returncode == 130, said
    assert _left_of(demo.pid) == []
    assert list(tmp_path.iterdir()) == []
