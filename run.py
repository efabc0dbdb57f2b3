#!/usr/bin/env python3
"""Set up and run Campus Hub from a checkout with nothing but Python 3.11 or newer.

    python3 run.py demo          the hub with simulated devices; prints an address and a password
    python3 run.py test [...]    the tests, two at a time (arguments go to pytest; -n 0 for one by
                                 one, --scale full for full counts)
    python3 run.py lint          what the gate checks besides the tests
    python3 run.py COMMAND ...   any other command of campus-hub, such as: check --config config

The environment is made in .venv beside this file, from requirement files with hashes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LINT = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("importlinter",),
)


def stop(text: str) -> None:
    """Say what is wrong and end with 2."""
    sys.stderr.write(text + "\n")
    sys.exit(2)


def make_environment() -> None:
    """Make .venv, or stop with the name of the missing system package."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before anything is checked
        found = ".".join(map(str, sys.version_info[:3]))
        stop(f"run.py: Python 3.11 or newer is needed, this is {found}. Try: python3.11 run.py ...")
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        stop(
            "run.py: this Python cannot make environments (module ensurepip is missing). "
            f"On Debian or Ubuntu: sudo apt-get install python{version}-venv"
        )
    sys.stderr.write("run.py: making .venv (once, about a minute)\n")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def install(requirements: str) -> None:
    """Install a requirement file and the checkout itself, unless both are as they were."""
    files = [HERE / "requirements" / f"{requirements}.txt", HERE / "pyproject.toml"]
    stamp = VENV / f".installed-{requirements}"
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    if not PYTHON.exists():
        make_environment()
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    sys.stderr.write(f"run.py: installing requirements/{requirements}.txt\n")
    subprocess.run([*pip, "--require-hashes", "-r", str(files[0])], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(HERE)], check=True)
    stamp.write_text(wanted)


def lint() -> int:
    """Run every check of the gate but the tests; 0 when all are content."""
    failed = 0
    for tool, *arguments in LINT:
        module = ["-c", "from importlinter.cli import lint_imports_command as run; run()"]
        command = module if tool == "importlinter" else ["-m", tool]
        whole = [str(PYTHON), *command, *arguments]
        failed |= subprocess.run(whole, cwd=HERE, check=False).returncode
    return failed


def main() -> int:
    """Make what is missing, then hand over to the command."""
    command, arguments = (sys.argv[1:2] or ["--help"])[0], sys.argv[2:]
    try:
        install("dev" if command in ("test", "lint") else "run")
    except subprocess.CalledProcessError as error:
        stop(f"run.py: setting up .venv failed: {error}. Mend the cause above and run it again.")
    if command == "lint":
        return lint()
    if command == "test":
        tests = [str(PYTHON), "-m", "pytest", "-n", "2", *arguments]
        return subprocess.run(tests, cwd=HERE, check=False).returncode
    hub = [str(PYTHON), "-m", "hub", command, *arguments]
    if os.name == "posix":
        os.execv(hub[0], hub)  # noqa: S606 - so that signals reach the hub and not this file
    return subprocess.run(hub, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
