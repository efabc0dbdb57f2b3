"""What every test may ask for: the scale of the run, and real servers that may be missing.

Made-up examples are the same in every run, and none has a time limit: the machine may be busy.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import shortcuts

# The programs that tests start share what the first of them compiles; most of a short one's time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

FIRST = Path(__file__).parent / "whole"
OURS = (None, "drivers", "hub", "rules", "simulators")  # None: the root of all loggers

settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scale",
        choices=("small", "full"),
        default="small",
        help="full: the counts that the documentation names; small: the same tests with fewer",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first: one of them at the end would leave a worker idle beside it."""
    items.sort(key=lambda item: FIRST not in item.path.parents)


def pytest_collection_finish() -> None:
    """Take what stands now for lasting, as a hub does when it has started."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let the end of Python find everything again, as libraries expect that count their own."""
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker a stretch of tests, so that few modules make their fixtures in both."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session")
def full_scale(request: pytest.FixtureRequest) -> bool:
    """Tell whether this run uses the full counts."""
    return request.config.getoption("--scale") == "full"


@pytest.fixture(scope="session")
def binary() -> Callable[..., str]:
    """Return a function that finds a program, or skips (fails where servers are required)."""

    def find(name: str, *folders: str) -> str:
        places = [*(str(Path(folder) / name) for folder in folders), name]
        for place in places:
            if found := shutil.which(place):
                return found
        text = f"{name} is not installed; on Debian .ci/run installs it"
        if os.environ.get("CAMPUS_HUB_REQUIRE_SERVERS") == "1":
            pytest.fail(text)
        pytest.skip(text)

    return find


@pytest.fixture(scope="session", autouse=True)
def _shortcuts() -> Iterator[None]:
    """Spare every test what costs much and is tested where it belongs."""
    with pytest.MonkeyPatch.context() as patch:
        shortcuts.take(patch)
        yield


@pytest.fixture(autouse=True)
def _log_is_left_as_found() -> Iterator[None]:
    """Name the test that silences the log; tests after it would wait for lines in vain."""
    before = [logging.getLogger(name).level for name in OURS]
    yield
    after = [logging.getLogger(name).level for name in OURS]
    assert after == before, "this test changed the level of a logger and did not put it back"
