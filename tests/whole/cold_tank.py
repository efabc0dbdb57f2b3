"""A boiler pack of one simple rule, for tests that are not about the shipped ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PACK = {"version": 1, "pack": "boiler", "applies_to": {"kind": "boiler"}}
RULE = {
    "id": "tank-cold",
    "kind": "low",
    "point": "tank_temperature",
    "limit": 50,
    "clear": 52,
    "on_delay": "PT10M",
    "off_delay": "PT10M",
    "severity": "ordinary",
    "finds": ["element_failed"],
    "title": {"zh": "水箱温度偏低", "en": "Tank is cold"},
    "guidance": {"zh": "测电热元件。", "en": "Measure the heating element."},
    "parts": ["heating-element"],
    "proof": {"point": "tank_temperature", "above": 52, "for": "PT10M", "within": "PT4H"},
}


def write_cold_tank(folder: Path, **changes: Any) -> Path:
    """Write the pack, its rule changed, as the only one about boilers; return its folder."""
    folder.mkdir()
    text = yaml.safe_dump(PACK | {"rules": [RULE | changes]}, allow_unicode=True, sort_keys=False)
    (folder / "boiler.yaml").write_text(text, "utf-8")
    return folder
