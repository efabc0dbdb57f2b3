from __future__ import annotations

import doctest

import pytest

from drivers import codec, plan
from drivers.modbus import frame
from drivers.mqtt import payload


@pytest.mark.parametrize(
    "module", [codec, plan, frame, payload], ids=lambda module: module.__name__
)
def test_the_examples_in_the_docstrings_hold(module) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
