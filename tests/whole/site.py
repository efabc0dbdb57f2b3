"""Sites for tests: the shipped small campus or a few devices, on free ports, in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path(__file__).parents[2] / "config"
BUILDING = {"id": "dorm-07", "kind": "building", "name": {"zh": "北苑7栋", "en": "North Garden 7"}}
ROOM = {"id": "dorm-07/1/shower-1", "kind": "shower_room"}
SITE = {
    "version": 1,
    "site": {
        "id": "test",
        "name": {"zh": "试验", "en": "Test"},
        "timezone": "Asia/Shanghai",
        "locale": "en",
    },
    "data": "var",
    "places": [BUILDING, ROOM],
}


def terminal(id_: str) -> dict[str, str]:
    """Describe a shower terminal."""
    return {"id": id_, "profile": "reference-shower-terminal", "place": ROOM["id"]}


def write_site(folder: Path, devices: Sequence[Mapping[str, Any]] = (), **changes: Any) -> Path:
    """Write campus.yaml of a small site of these devices; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    campus = SITE | {"web": {"port": 0}, "devices": list(devices)} | changes
    text = yaml.safe_dump(campus, allow_unicode=True, sort_keys=False)
    (folder / "campus.yaml").write_text(text, "utf-8")
    return folder


def small_campus() -> dict[str, Any]:
    """Read the shipped campus.yaml, to be changed and written elsewhere."""
    campus: dict[str, Any] = yaml.safe_load((CONFIG / "campus.yaml").read_text("utf-8"))
    return campus
