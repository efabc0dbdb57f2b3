"""campus-hub as its users have it: a process of its own on a config folder."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.cli import run

CHECKOUT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "hub")
PASSWORD = "a kettle for the crew"
PATIENCE_S = 40.0
LOOK_S = 0.05


def campus_hub(
    *arguments: str | Path, folder: Path = CHECKOUT, patience_s: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )


def campus_hub_here(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a short command in this process, which has imported all that it needs."""
    words = [str(one) for one in arguments]
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as said,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            code = run(words)
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), said.getvalue())


@dataclass
class RunningHub:
    """A hub that has said where it is."""

    process: subprocess.Popen[str]
    address: str
    password: str | None
    name: str = "admin"

    def signed_in(self) -> contextlib.AbstractContextManager[httpx.Client]:
        """Open a browser whose owner signs in for the first time."""
        return signed_in(self.address, self.password, self.name)


@contextlib.contextmanager
def signed_in(
    address: str | None, password: str | None, name: str = "admin"
) -> Iterator[httpx.Client]:
    """Open a browser whose owner signs in with a password of once, and chooses PASSWORD."""
    with httpx.Client(base_url=address or "", trust_env=False, timeout=PATIENCE_S) as http:
        http.post("/login", data={"name": name, "password": password})
        token = re.search(r'name="csrf" value="([^"]+)"', http.get("/password").text)
        assert token, "signing in did not work"
        form = {"csrf": token[1], "old": password, "password": PASSWORD, "again": PASSWORD}
        changed = http.post("/password", data=form)
        assert changed.status_code == 303, changed.text
        yield http


@contextlib.contextmanager
def started(*arguments: str | Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command beside the test; what it says on stderr goes to a file of the folder."""
    with (folder / f"{arguments[0]}.log").open("a") as said:
        command = [*COMMAND, *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=said, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise


@contextlib.contextmanager
def running_hub(folder: Path, *, first: bool = True) -> Iterator[RunningHub]:
    """Run the hub of a folder; after the block it has stopped, with exit code 0.

    Only the ``first`` start says a password.
    """
    with started("run", "--config", folder, folder=folder) as process:
        address = _said(process, folder, "campus-hub: (http://.+)")
        password = _said(process, folder, "sign in as admin with (\\S+)") if first else None
        yield RunningHub(process, address, password)
    assert process.returncode == 0, (folder / "run.log").read_text("utf-8")


def _said(process: subprocess.Popen[str], folder: Path, pattern: str) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(pattern, line)
    assert found, f"said {line!r} instead of {pattern}: {(folder / 'run.log').read_text('utf-8')}"
    return found[1]


def wait_for(what: str, look: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Look until there is something, and return it."""
    end_s = time.monotonic() + patience_s
    while time.monotonic() < end_s:
        if found := look():
            return found
        time.sleep(LOOK_S)
    raise AssertionError(f"waited {patience_s:.0f} s for {what}")


def value_of(http: httpx.Client, point: str) -> dict[str, Any]:
    """Return the last value of a point as the API tells it."""
    answer = http.get("/api/v1/live", params={"point": point})
    assert answer.status_code == 200, answer.text
    items: Sequence[dict[str, Any]] = answer.json()["items"]
    return dict(items[0])
