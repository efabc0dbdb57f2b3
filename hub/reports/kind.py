"""What residents may report: a tree of two levels, as a site writes it in reports.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from hub.model import Severity, Text
from hub.site import DeviceKind, PlaceKind
from rules.form import Id, Spec, Words


class Kind(Spec):
    """One thing that may be wrong; without ``places`` it is offered everywhere.

    ``devices`` are the kinds at whose labels it is offered; ``rules`` name the alarms that it
    plausibly is.
    """

    id: Id
    name: Words
    severity: Severity
    skill: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    places: tuple[PlaceKind, ...] = ()
    devices: tuple[DeviceKind, ...] = ()
    rules: tuple[Id, ...] = Field((), max_length=50)

    def at(self, place: PlaceKind | None, device: DeviceKind | None) -> bool:
        """Tell whether it is offered at a place of a kind, or at the label of a device there."""
        if device is not None:
            return device in self.devices
        return not self.places or place in self.places


class Group(Spec):
    """Kinds under one heading."""

    id: Id
    name: Words
    kinds: tuple[Kind, ...] = Field(min_length=1)


class ReportsFile(Spec):
    """reports.yaml: what residents may report; ``danger`` says whom to call at once instead.

    Without groups nobody can report anything without an account.
    """

    version: Literal[1]
    danger: Words | None = None
    groups: tuple[Group, ...] = ()

    @model_validator(mode="after")
    def _ids_once(self) -> ReportsFile:
        if twice := _twice(kind.id for group in self.groups for kind in group.kinds):
            raise ValueError(f"the kind {twice!r} stands there twice; ids are unique")
        return self

    def kind(self, id_: str) -> Kind | None:
        """Return a kind."""
        kinds = (kind for group in self.groups for kind in group.kinds)
        return next((kind for kind in kinds if kind.id == id_), None)

    def offered(
        self, place: PlaceKind | None, device: DeviceKind | None = None
    ) -> list[tuple[Text, list[Kind]]]:
        """Return what may be reported somewhere, under its headings; all where nothing fits."""
        found = [
            (group.name.text(), [kind for kind in group.kinds if kind.at(place, device)])
            for group in self.groups
        ]
        kept = [(name, kinds) for name, kinds in found if kinds]
        return kept or [(group.name.text(), list(group.kinds)) for group in self.groups]


def _twice(ids: Iterable[str]) -> str | None:
    return next((id_ for id_, count in Counter(ids).items() if count > 1), None)


NO_REPORTS = ReportsFile(version=1)
