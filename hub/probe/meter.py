"""Look at a meter whose frames say what they hold: each point once, with the octets as they came.

There is no order of words to be wrong here; what can be is the meter, its address or its data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.profile import Cjt188Point, Cjt188Profile, Dlt645Point, Dlt645Profile
from hub.model import Json, Quality, quality_of, reason_of
from hub.ports import DeviceError, Look, NoAnswerError, Seen
from hub.probe.examined import Examined
from hub.site import Device

MeterProfile = Dlt645Profile | Cjt188Profile
_PATIENCE = 2  # points without an answer before the rest is let be: the line has other meters
_NAMED = 3


async def examine(look: Look, device: Device, profile: MeterProfile, where: str) -> Examined:
    """Ask for each point once; one that gives no good value does not fit the profile."""
    rows: list[dict[str, Json]] = []
    misses = 0
    for name, point in profile.points.items():
        if misses >= _PATIENCE:
            rows.append(_row(name, point, "not asked: the meter has fallen silent"))
            continue
        try:
            rows.append(_row(name, point, await look(device.id, name)))
            misses = 0
        except DeviceError as error:
            silent = isinstance(error, NoAnswerError)
            if silent and misses == len(rows) == 0:
                return Examined(device.id, profile.id, where, fits=False, finding=str(error))
            misses = misses + 1 if silent else 0
            rows.append(_row(name, point, str(error)))
    return Examined(device.id, profile.id, where, *_verdict(rows), rows)


def _verdict(rows: Sequence[Mapping[str, Json]]) -> tuple[bool, str]:
    """Tell whether every point gave a good value, and name those that did not."""
    bad = [str(row["point"]) for row in rows if row["quality"] != "good"]
    if not bad:
        return True, "as the profile says"
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return False, f"{len(bad)} of {len(rows)} points give no good value: " + (
        ", ".join(bad[:_NAMED]) + more
    )


def _row(name: str, point: Dlt645Point | Cjt188Point, seen: Seen | str) -> dict[str, Json]:
    """Write down a point with what was seen of it, or why nothing was."""
    quality, value, error = Quality.BAD, None, seen
    octets: Sequence[int] = ()
    if not isinstance(seen, str):
        quality, octets = quality_of(seen.quality), seen.raw
        good = quality is Quality.GOOD
        value = seen.value if good else None
        error = "" if good else reason_of(seen.quality).name.lower().replace("_", " ")
    return {
        "point": name,
        "asked": point.di if isinstance(point, Dlt645Point) else point.part,
        "octets": list(octets),
        "value": value,
        "unit": point.unit,
        "quality": quality.name.lower(),
        "error": error,
    }
