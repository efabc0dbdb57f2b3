"""The site of the labelled month: the small campus and one building of the reference campus.

The plant of that building is a cascade of four units, as on most dormitory roofs.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from simulators.reference import write_building

UNITS = 4
EVERY = "PT60S"
_COLUMNS = {
    "places": ("id", "kind", "name.zh", "name.en", "students", "area_m2"),
    "devices": ("id", "profile", "place", "gateway", "unit_id", "interval"),
}


def write_site(folder: Path, small: Path) -> None:
    """Write the site into a folder; ``small`` is the config folder of the small campus."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = yaml.safe_load((small / "campus.yaml").read_text(encoding="utf-8"))
    places, devices = whole.pop("places"), whole.pop("devices")
    write_building(folder, UNITS)
    reference = yaml.safe_load((folder / "campus.yaml").read_text(encoding="utf-8"))
    whole["gateways"] += reference["gateways"]
    text = yaml.safe_dump(whole, allow_unicode=True, sort_keys=False)
    (folder / "campus.yaml").write_text(text, encoding="utf-8")
    _append(folder, "places", (_flat(place) for place in places))
    _append(folder, "devices", ({**device, "interval": EVERY} for device in devices))
    for more in ("service.yaml", "tariffs.yaml", "calendar.yaml"):
        if (small / more).exists():
            shutil.copyfile(small / more, folder / more)


def _flat(place: Mapping[str, Any]) -> dict[str, Any]:
    names = {f"name.{language}": word for language, word in place.get("name", {}).items()}
    return {key: value for key, value in place.items() if key != "name"} | names


def _append(folder: Path, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    columns = _COLUMNS[table]
    with (folder / f"{table}.csv").open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writerows(rows)
