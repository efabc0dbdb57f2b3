"""A hub with one mistake, for the negative control: it acknowledges before the journal commits."""

from __future__ import annotations

import sys

from hub import app
from hub.cli import run
from hub.intake import Durable, Intake
from hub.model import Batch


class HastyIntake(Intake):
    """Calls what has come durable, which it is not."""

    def put(self, batch: Batch, durable: Durable | None = None, *how_many: int) -> None:
        super().put(batch, None, *how_many)
        if durable is not None:
            durable()


if __name__ == "__main__":
    app.Intake = HastyIntake
    sys.exit(run(sys.argv[1:]))
