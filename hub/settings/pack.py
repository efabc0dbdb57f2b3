"""Check that a site's own rules fit its profiles and each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drivers.profile import Profile
from hub.model import Json
from hub.settings.form import suggestion
from hub.settings.source import Document, Key, Problem
from rules.form import StreamForm
from rules.spec import Pack, Rule
from rules.spec_members import MembersRule
from rules.spec_streams import JumpRule


def wrong_packs(
    own: Sequence[tuple[Document, Pack]], others: Sequence[Pack], profiles: Sequence[Profile]
) -> Iterator[Problem]:
    """Find rules whose points, units or ids do not fit; ``others`` are the shipped packs."""
    for n, (document, pack) in enumerate(own):
        for other in (*others, *(before for _, before in own[:n])):
            yield from _told_twice(document, pack, other)
        for at, rule in enumerate(pack.rules):
            yield from _within_rule(document, ("rules", at), rule, _concerned(pack, rule, profiles))


def _concerned(pack: Pack, rule: Rule, profiles: Sequence[Profile]) -> tuple[str, list[Profile]]:
    """Return the profiles whose points a rule takes, and the words for them."""
    about = rule.over if isinstance(rule, MembersRule) else pack.applies_to
    named = f" {', '.join(about.profiles)}" if about.profiles else ""
    found = [
        profile
        for profile in profiles
        if about.kind in (None, profile.kind)
        and (not about.profiles or profile.id in about.profiles)
    ]
    return f"profile{named}" + (f" of kind {about.kind}" if about.kind else ""), found


def _within_rule(
    document: Document, key: Key, rule: Rule, concerned: tuple[str, list[Profile]]
) -> Iterator[Problem]:
    words, profiles = concerned
    points = {name for profile in profiles for name in profile.points}
    named: list[tuple[str, Key]] = [(name, ()) for name in rule.inputs]
    named += [(rule.proof.point, ("proof",))] if rule.proof else []
    named += [(rule.when.mode.point, ("when", "mode"))] if rule.when and rule.when.mode else []
    for name, within in named:
        if name not in points:
            at = _written(document.data, key, name, within)
            hint = suggestion(name, sorted(points))
            yield document.problem(at, f"no {words} has a point {name!r}{hint}")
    if not isinstance(rule, StreamForm):
        return
    having = [profile for profile in profiles if rule.inputs[0] in profile.points]
    for profile in having:
        unit = profile.points[rule.inputs[0]].unit
        if rule.unit is not None and rule.unit != unit:
            what = (
                f"{rule.unit!r} is not that of {rule.inputs[0]} in {profile.id}: {unit or 'none'!r}"
            )
            yield document.problem((*key, "unit"), what)
    if isinstance(rule, JumpRule) and rule.rated and having:
        yield from _unrated(document, key, rule, having)


def _unrated(
    document: Document, key: Key, rule: JumpRule, having: Sequence[Profile]
) -> Iterator[Problem]:
    if all(getattr(one.points[rule.point], "most_per_h", None) is None for one in having):
        what = f"no profile says how much {rule.point} counts at most; give per_hour instead"
        yield document.problem((*key, "rated"), what)


def _told_twice(document: Document, pack: Pack, other: Pack) -> Iterator[Problem]:
    """Find rules with an id that another pack about the same devices has too."""
    one, two = pack.applies_to, other.applies_to
    apart = one.profiles and two.profiles and not {*one.profiles} & {*two.profiles}
    if pack.pack == other.pack or one.kind != two.kind or apart:
        return
    taken = {rule.id for rule in other.rules}
    for n, rule in enumerate(pack.rules):
        if rule.id in taken:
            what = f"{rule.id!r} is a rule of the pack {other.pack} too; ids are unique"
            yield document.problem(("rules", n, "id"), what)


def _written(data: Json, key: Key, name: str, below: Key) -> Key:
    """Return where within a rule the name of a point stands."""
    here = data
    for part in (*key, *below):
        here = here[part]
    found = _search(here, name)
    return (*key, *below, *(found or ("point",)))


def _search(here: Json, name: str) -> Key | None:
    pairs = here.items() if isinstance(here, Mapping) else enumerate(here)
    for part, value in pairs:
        if part in ("parts", "finds"):  # words that may be those of a point by chance
            continue
        if value == name and (part in ("point", "minus") or isinstance(part, int)):
            return (part,)
        if isinstance(value, (Mapping, list)) and (found := _search(value, name)) is not None:
            return (part, *found)
    return None
