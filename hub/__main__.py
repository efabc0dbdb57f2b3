"""The entry point: `campus-hub` and `python -m hub`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def _one_installation() -> None:
    """Stop when the four packages come from different folders: their names are common ones."""
    homes = {}
    for name in ("hub", "drivers", "rules", "simulators"):
        found = importlib.util.find_spec(name)
        homes[name] = str(Path(found.origin).parent.parent) if found and found.origin else "nowhere"
    if len(set(homes.values())) > 1:
        seen = ", ".join(f"{name} in {home}" for name, home in homes.items())
        sys.stderr.write(
            f"campus-hub: another package shadows ours ({seen}). Install campus-hub into an "
            "environment of its own: python3 -m venv, pipx or uv tool.\n"
        )
        sys.exit(2)


def main() -> int:
    """Run the command line and return its exit code."""
    _one_installation()
    from hub.cli import run  # noqa: PLC0415 - the check above must come before our imports

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
