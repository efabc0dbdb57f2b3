"""What is known to have happened: a scenario's truth, or the faults that people saw."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.model import Json
from hub.ports import ConfigError
from hub.settings.form import suggestion
from hub.settings.source import Document, Problem, read_csv
from rules.backtest import Label

COLUMNS = ("start", "end", "subject", "rule")
Numbered = tuple[int, Label]  # with the line on which it stands
_HOW = "write it like 2026-11-21T19:30 (in site time) or 2026-11-21T11:30:00Z"


class _Episode(BaseModel):
    """One line of a truth file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, Field(min_length=1)]
    what: Literal["fault", "look_alike"]
    kind: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1)]
    start_ms: int
    end_ms: int | None = None
    members: tuple[str, ...] = ()
    evident_ms: int | None = None

    def label(self) -> Label:
        """Return what the scoring goes by."""
        return Label(
            self.id,
            self.kind,
            self.subject,
            self.start_ms,
            self.end_ms,
            look_alike=self.what == "look_alike",
            members=frozenset(self.members),
            evident_ms=self.evident_ms,
        )


class Known(NamedTuple):
    """What labels may speak of: subjects and rules by id, instants in the zone of the site."""

    subjects: Collection[str]
    rules: Collection[str]
    zone: ZoneInfo

    def wrong(self, label: Label) -> Iterator[tuple[str, str]]:
        """Yield the key and what is wrong with it."""
        if label.subject not in self.subjects:
            what = "is no device, gateway or place of this site; write one as in campus.yaml"
            yield "subject", f"{label.subject!r} {what}"
        if label.rule is not None and label.rule not in self.rules:
            there = suggestion(label.rule, sorted(self.rules))
            yield "rule", f"{label.rule!r} is no rule of the packs in force{there}"


def read_labels(path: Path, known: Known) -> list[Label]:
    """Read a truth file (.jsonl), or a CSV of real faults with times of the site.

    ConfigError names every line that is wrong, and what to write.
    """
    problems: list[Problem] = []
    read = _truth if path.suffix == ".jsonl" else _faults
    labels = []
    for line, label in read(path, known.zone, problems):
        labels.append(label)
        problems += [Problem(path.name, line, key, what) for key, what in known.wrong(label)]
    if problems:
        raise ConfigError([str(problem) for problem in problems])
    return labels


def _truth(path: Path, zone: ZoneInfo, problems: list[Problem]) -> Iterator[Numbered]:
    del zone  # its instants are in ms
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(path.name, 1, "file", f"cannot be read: {error}"))
        return
    for n, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            if n > 1 or "scenario" not in content:  # the first line tells where they are from
                yield n, _Episode.model_validate(content).label()
        except ValidationError as error:
            for one in error.errors():
                key = ".".join(map(str, one["loc"])) or "line"
                problems.append(Problem(path.name, n, key, one["msg"]))
        except ValueError as error:
            problems.append(Problem(path.name, n, "line", f"is not JSON: {error}"))


def _faults(path: Path, zone: ZoneInfo, problems: list[Problem]) -> Iterator[Numbered]:
    document = read_csv(path, COLUMNS, problems)
    if document is None:
        return
    for n, cells in enumerate(document.data[path.stem]):
        row = _Row(document, (path.stem, n), cells, zone)
        if label := row.label(problems):
            yield row.line, label


class _Row:
    """One line of a CSV of real faults."""

    def __init__(
        self, document: Document, key: tuple[str, int], cells: Mapping[str, Json], zone: ZoneInfo
    ) -> None:
        self._document = document
        self._key = key
        self._cells = cells
        self._zone = zone

    @property
    def line(self) -> int:
        """Return the line on which it stands."""
        return self._document.line(self._key)

    def label(self, problems: list[Problem]) -> Label | None:
        """Return the label; None when something is wrong with the line."""
        before = len(problems)
        wanted = ("start", "subject", "rule")
        absent = [name for name in wanted if name not in self._cells]
        problems += [self._problem(name, "missing; add it") for name in absent]
        start_ms, end_ms = self._instant("start", problems), self._instant("end", problems)
        if start_ms is not None and end_ms is not None and end_ms < start_ms:
            problems.append(self._problem("end", "is before start; turn them"))
        if len(problems) > before or start_ms is None:
            return None
        rule = str(self._cells["rule"])
        return Label(
            f"line {self.line}", rule, str(self._cells["subject"]), start_ms, end_ms, rule=rule
        )

    def _instant(self, name: str, problems: list[Problem]) -> int | None:
        if name not in self._cells:
            return None
        try:
            at = datetime.fromisoformat(str(self._cells[name]))
        except ValueError:
            problems.append(self._problem(name, f"{self._cells[name]!r} is no instant; {_HOW}"))
            return None
        return round((at if at.tzinfo else at.replace(tzinfo=self._zone)).timestamp() * 1000)

    def _problem(self, name: str, message: str) -> Problem:
        return Problem(self._document.file, self.line, name, message)
