"""Draw every page: python -m tests.pages [--out DIR] [--dark]; exit 1 when something is wrong."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.pages.look import chromium, look_at_all, played


def main() -> int:
    """Draw the pages and print what is wrong with them."""
    parser = argparse.ArgumentParser(prog="python -m tests.pages", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    parser.add_argument("--dark", action="store_true", help="draw the dark form too")
    wanted = parser.parse_args()
    if chromium() is None:
        sys.stderr.write("Chromium is not installed (Debian: apt-get install chromium)\n")
        return 1
    wanted.out.mkdir(parents=True, exist_ok=True)
    stage, token = played()
    looks = look_at_all(stage, token, wanted.out, ("light", "dark") if wanted.dark else ("light",))
    faults = [fault for one in looks for fault in one.faults]
    print(f"{len(looks)} pictures in {wanted.out}")
    print(f"overflowing: {sum(one.overflow > 0 for one in looks)}")
    print(f"controls under 44 px: {sum(len(one.small) for one in looks)}")
    print(f"console errors: {sum(len(one.errors) for one in looks)}")
    for fault in faults:
        print(" ", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
