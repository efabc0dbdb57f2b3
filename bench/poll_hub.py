"""The whole hub of a bench site, as `run` runs it: `python -m bench.poll_hub FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.poll_site import bus_of
from hub.app import Outside
from hub.cli.loop import run
from hub.cli.service import serve
from hub.settings import load

if __name__ == "__main__":
    run(serve(load(Path(sys.argv[1])), Outside(bus_of=bus_of)))
