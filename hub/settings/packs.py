"""Another version of rule packs, from a folder of their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hub.ports import ConfigError
from hub.settings.folder import PACK
from hub.settings.form import fitted
from hub.settings.source import Problem, read_yaml
from rules.spec import Pack


def packs_from(folder: Path, in_force: Sequence[Pack]) -> tuple[Pack, ...]:
    """Return the packs in force, with those of a folder (or of its ``rules``) in their places.

    ConfigError names every mistake in the files.
    """
    home = folder / "rules" if (folder / "rules").is_dir() else folder
    files = sorted(home.glob("*.yaml"))
    if not files:
        raise ConfigError([f"{home}:1: file: no packs here; name a folder that holds <pack>.yaml"])
    problems: list[Problem] = []
    packs = {pack.pack: pack for pack in in_force}
    for path in files:
        document = read_yaml(path, str(path), problems)
        pack = fitted(document, PACK, problems) if document is not None else None
        if pack is not None:
            packs[pack.pack] = pack
    if problems:
        raise ConfigError([str(problem) for problem in sorted(set(problems))])
    return tuple(packs.values())
