"""The configuration that was in force once, as the journal holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from drivers.product import RECORDED
from hub.model import Json
from hub.ports import ConfigError
from hub.settings.folder import (
    CALENDAR,
    CAMPUS,
    PACK,
    PROFILE,
    PROMISE,
    REPORTS,
    ROSTER,
    TARIFFS,
)
from hub.settings.in_force import Beside, Settings, settled


def recorded(content: Mapping[str, Json], folder: Path) -> Settings:
    """Return the settings of a CONFIGURATION entry's content; ``folder`` is where they were.

    They were checked when they came into force; ConfigError when another version of the hub wrote
    them, in a form that this one does not know.
    """
    part = "campus"
    try:
        campus = CAMPUS.validate_python(content["campus"], context=RECORDED)
        part = "profiles"
        profiles = {
            id_: PROFILE.validate_python(one, context=RECORDED)
            for id_, one in content["profiles"].items()
        }
        part = "rules"
        packs = tuple(
            PACK.validate_python(content["rules"][id_], context=RECORDED)
            for id_ in sorted(content["rules"])
        )
        part = "service"
        promise = PROMISE.validate_python(content["service"], context=RECORDED)
        part = "calendar"
        calendar = CALENDAR.validate_python(content.get("calendar", {"version": 1}))
        part = "roster"
        roster = content.get("roster")
        people = roster and ROSTER.validate_python(roster)
        part = "reports"
        reports = REPORTS.validate_python(content.get("reports", {"version": 1}))
        part = "tariffs"
        tariffs = content.get("tariffs")
        prices = tariffs and TARIFFS.validate_python(tariffs, context=RECORDED)
    except (KeyError, ValidationError) as error:
        what = f"{part}: is of a form that this version does not know: {error}"
        raise ConfigError([f"recorded configuration: {what}"]) from error
    beside = Beside(promise, reports, calendar, prices, people)
    return settled(folder, campus, profiles, packs, beside)
