"""A hot-water plant and its showers alone, whose heating element fails: quick to play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.whole.site import CONFIG, small_campus


def write_plant(folder: Path) -> Path:
    """Write the small campus without its meters; return the folder."""
    campus = small_campus()
    wanted = ("boiler", "shower")
    campus["devices"] = [
        one for one in campus["devices"] if any(name in one["profile"] for name in wanted)
    ]
    folder.mkdir()
    text = yaml.safe_dump(campus, allow_unicode=True, sort_keys=False)
    (folder / "campus.yaml").write_text(text, "utf-8")
    return folder


def failing_element(folder: Path, length: str) -> Path:
    """Write the scenario of the failed element, which begins earlier; return the file."""
    script: dict[str, Any] = yaml.safe_load(
        (CONFIG / "scenarios" / "boiler_element_fail.yaml").read_text("utf-8")
    )
    script["length"] = length
    script["steps"][0]["at"] = "PT1M"
    path = folder / f"{script['id']}.yaml"
    path.write_text(yaml.safe_dump(script, allow_unicode=True), "utf-8")
    return path
