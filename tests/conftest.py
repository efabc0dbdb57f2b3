"""What every test may ask for: the scale of the run, and real servers that may be missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scale",
        choices=("small", "full"),
        default="small",
        help="full: the counts that the documentation names; small: the same tests with fewer",
    )


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
