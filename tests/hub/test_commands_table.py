"""The table of the commands is true, and only the chosen one is imported."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from hub import cli

ONE = """
import sys
from hub import cli
cli.parser("profile").parse_args(["profile", "list"])
print(*{name.partition(".")[0] for name in sys.modules} & {"alembic", "fastapi", "uvicorn"})
"""


def names(parser: argparse.ArgumentParser) -> list[str]:
    (groups,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return list(groups.choices)


def test_every_command_is_in_the_table_and_comes_from_the_group_it_names() -> None:
    assert names(cli.parser()) == list(cli.GROUPS)
    for command, group in cli.GROUPS.items():
        together = [one for one, other in cli.GROUPS.items() if other == group]
        assert names(cli.parser(command)) == together


def test_a_command_does_not_wait_for_what_others_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.stdout, done.stderr) == ("\n", "")


@pytest.mark.parametrize("asked", [["--help"], ["--help", "check"], ["-h"]])
def test_help_is_about_all_commands(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.run(asked)

    said = capsys.readouterr().out
    assert all(f"\n    {command}" in said for command in cli.GROUPS)
