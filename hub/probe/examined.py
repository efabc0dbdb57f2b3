"""What was found on one device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.model import Json
from hub.probe.wiring import Rank


@dataclass(frozen=True, slots=True)
class Examined:
    """Does a device fit its profile, and what is wrong if it does not; ``ranked`` are wirings."""

    device: str
    profile: str
    where: str
    fits: bool
    finding: str
    points: Sequence[Mapping[str, Json]] = ()
    ranked: Sequence[Rank] = ()

    def row(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "device": self.device,
            "profile": self.profile,
            "where": self.where,
            "ok": self.fits,
            "finding": self.finding,
            "points": list(self.points),
            "wirings": [
                {"wiring": str(one.wiring), "score": round(one.score, 3), "fails": list(one.failed)}
                for one in self.ranked
            ],
        }
