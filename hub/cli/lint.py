"""What is wrong with a profile although its form is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from drivers.profile import (
    Dlt645Point,
    Limits,
    ModbusProfile,
    PointSpec,
    Profile,
    RegisterPoint,
)
from hub.settings.form import fitted, suggestion
from hub.settings.source import Document, Problem, read_yaml
from simulators.registers import capacity

_PROFILE: TypeAdapter[Profile] = TypeAdapter(Profile)
_PHASES = ("_l1", "_l2", "_l3")
_TRIANGLE = ("voltage", "current", "power")
# steps that are fine enough for a value of this unit to move while a device works
_FINE: Mapping[str, float] = {"V": 0.1, "Hz": 0.01, "degC": 0.1, "kWh": 0.01}


def read(path: Path) -> tuple[Profile | None, list[Problem]]:
    """Read a profile; None where its form is wrong, and everything that is wrong with it."""
    problems: list[Problem] = []
    document = read_yaml(path, str(path), problems)
    profile = fitted(document, _PROFILE, problems) if document is not None else None
    if document is not None and profile is not None:
        problems += lint(document, profile, path.stem)
    return profile, sorted(set(problems))


def lint(document: Document, profile: Profile, stem: str) -> Iterator[Problem]:
    """Find what a person would have to ask about, or what could never work."""
    if profile.id != stem:
        yield document.problem(("id",), f"is {profile.id!r} but the file is {stem}.yaml")
    yield from _origin(document, profile)
    yield from _named(document, profile)
    points: Mapping[str, PointSpec] = profile.points
    for name, spec in points.items():
        for key, what in _point(name, spec):
            yield document.problem(("points", name, *key), what)
    if isinstance(profile, ModbusProfile):
        for name, point in profile.points.items():
            for key, what in _register(point, profile.limits):
                yield document.problem(("points", name, *key), what)


Wrong = Iterator[tuple[tuple[str, ...], str]]


def _origin(document: Document, profile: Profile) -> Iterator[Problem]:
    """Refuse a claim that nobody can check."""
    if not profile.source.strip():
        yield document.problem(("source",), "is empty; say where the map comes from")
    if profile.verified != "none" and profile.verified_on is None:
        what = f"{profile.verified} on which day? add verified_on: YYYY-MM-DD, or write none"
        yield document.problem(("verified",), what)
    if profile.verified == "none" and profile.verified_on is not None:
        yield document.problem(("verified_on",), "nothing was verified; remove it")


def _named(document: Document, profile: Profile) -> Iterator[Problem]:
    """Find names in probe and checks that are no points."""
    points: Mapping[str, PointSpec] = profile.points
    if profile.probe:
        spec = points.get(profile.probe.point)
        if spec is None:
            what = f"there is no point {profile.probe.point!r}"
            hint = suggestion(profile.probe.point, sorted(points))
            yield document.problem(("probe", "point"), what + hint)
        elif _apart(spec, profile.probe.min, profile.probe.max):
            yield document.problem(("probe",), "no good value of the point lies in this range")
    for n, name in enumerate(profile.restless.points if profile.restless else ()):
        for what in _restful(name, points):
            yield document.problem(("restless", "points", n), what)
    for n, check in enumerate(profile.checks):
        for group in _needed(check, points):
            missing = [name for name in group if name not in points]
            if missing:
                what = f"{check} needs the points {', '.join(missing)}"
                yield document.problem(("checks", n), what)


def _restful(name: str, points: Mapping[str, PointSpec]) -> Iterator[str]:
    """Find why a point may stand still although its device works."""
    spec = points.get(name)
    if spec is None:
        yield f"there is no point {name!r}{suggestion(name, sorted(points))}"
        return
    if spec.kind == "state" or spec.write:
        yield f"{name} stays as it is until somebody changes it"
    step = _FINE.get(spec.unit)
    if step is None:
        known = ", ".join(_FINE)
        yield f"{name} may stand still: only points in {known} are known to move"
    elif isinstance(spec, RegisterPoint) and spec.scale_from:
        yield f"{name} may stand still: its device chooses the step"
    elif _step(spec) > step:
        yield f"{name} moves in steps of {_step(spec):g} {spec.unit}: {step:g} is the most"


def _step(spec: PointSpec) -> float:
    """Return the least that a value moves by, as far as the profile tells: 0 where it does not."""
    if isinstance(spec, RegisterPoint) and not spec.type.startswith("float"):
        return abs(spec.scale)
    return abs(spec.scale) if isinstance(spec, Dlt645Point) else 0.0


def _needed(check: str, points: Mapping[str, PointSpec]) -> Sequence[Sequence[str]]:
    """Return the groups of points that a check compares."""
    if check == "phase_sum":
        return [["power", *(f"power{phase}" for phase in _PHASES)]]
    phases = [phase for phase in _PHASES if f"voltage{phase}" in points]
    return [[name + phase for name in _TRIANGLE] for phase in phases or [""]]


def _apart(spec: PointSpec, low: float, high: float) -> bool:
    return (spec.max is not None and spec.max < low) or (spec.min is not None and spec.min > high)


def _point(name: str, spec: PointSpec) -> Wrong:
    """Find what is wrong with a point of any protocol."""
    if not name.isidentifier() or name != name.lower() or not name.isascii():
        yield (), "is no point name: lower-case letters, digits and _"
    if spec.label is None:
        yield (), "has no label; add label: {zh: ..., en: ...}"
    elif not (spec.label.zh.strip() and spec.label.en.strip()):
        yield ("label",), "is empty in one language"
    if spec.min is not None and spec.max is not None and spec.min >= spec.max:
        yield ("min",), f"no value lies between {spec.min:g} and {spec.max:g}"
    if spec.rollover is not None and spec.kind != "counter":
        yield ("rollover",), "only a counter rolls over"
    if write := spec.write:
        if _apart(spec, write.max, write.max) or _apart(spec, write.min, write.min):
            what = "what may be written would read back as out of range; see min and max"
            yield ("write",), what
        if write.step and write.step > write.max - write.min > 0:
            yield ("write", "step"), "is larger than the range: only min could be written"
        if write.safe is not None and not write.min <= write.safe <= write.max:
            yield ("write", "safe"), f"is outside {write.min:g} to {write.max:g}"


def _register(point: RegisterPoint, limits: Limits) -> Wrong:
    """Find what a register could never hold or an answer never bring."""
    if point.table in ("holding", "input"):
        first = point.address - point.address % limits.align
        last = -(-(point.address + point.words) // limits.align) * limits.align
        if last - first > limits.words:
            what = f"takes {last - first} registers, one answer brings {limits.words} at most"
            yield ("type",), what
    size = 8 if point.byte else 16 * point.words
    for marker in point.invalid:
        if not -(1 << size - 1) <= marker < 1 << size:
            yield ("invalid",), f"{marker:#x} has more than {size} bits"
    if point.type.startswith("float") or point.scale_from:
        return
    ends = [raw * point.scale + point.offset for raw in capacity(point)]
    for key, limit in (("min", point.min), ("max", point.max)):
        yield from _unreachable((key,), limit, min(ends), max(ends))
    if point.write:
        yield from _unreachable(("write", "min"), point.write.min, min(ends), max(ends))
        yield from _unreachable(("write", "max"), point.write.max, min(ends), max(ends))


def _unreachable(key: tuple[str, ...], limit: float | None, low: float, high: float) -> Wrong:
    slack = 1e-9 * max(abs(low), abs(high))
    if limit is not None and not low - slack <= limit <= high + slack:
        yield key, f"{limit:g} is never reached: the register holds {low:g} to {high:g}"
