"""Rules as people write them; a closed union, unknown keys are errors."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from hub.model import Severity
from rules.form import Duration, FormError, Id, RuleForm, Spec, StreamForm
from rules.spec_members import MembersRule
from rules.spec_streams import StreamRule
from rules.spec_windows import WindowRule

SubjectKind = Literal[
    "meter", "boiler", "shower", "hub", "gateway", "building", "shower_room", "plant"
]
AROUND = ("gateway", "building", "shower_room", "plant")  # they have members, no points


class HealthRule(RuleForm):
    """A fault when the hub says that something of its own is in trouble; clear when it is over.

    Of severity ``urgent`` from when the hub says that it cannot wait. Its fix needs no proof but
    that: the hub says that the trouble is over.
    """

    kind: Literal["health"]
    subject: Literal["disk", "journal", "broker", "uplink", "rules", "outage"]
    urgent: Severity
    proof: None = None


class ErrorsRule(RuleForm):
    """A fault when more than ``limit``, a share, of the last polls of a line fail.

    It is one for ``on_delay``; clear at or below ``clear`` for ``off_delay``. Counted are polls of
    devices that answer: what is silent has rules of its own. The share is that of the whole line,
    or of the device that does worst where that is more. Its fix needs no proof but that.
    """

    shown_unit: ClassVar[str | None] = ""
    kind: Literal["errors"]
    limit: float = Field(gt=0, lt=1)
    clear: float = Field(ge=0)
    on_delay: Duration = timedelta(0)
    off_delay: Duration = timedelta(0)
    proof: None = None

    @property
    def delay(self) -> timedelta:
        """Return the on-delay."""
        return self.on_delay

    @model_validator(mode="after")
    def _clear_inside(self) -> ErrorsRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        return self


Rule = Annotated[
    StreamRule | MembersRule | WindowRule | HealthRule | ErrorsRule, Field(discriminator="kind")
]


class Applies(Spec):
    """What a pack is about: all devices of a kind, or only those of the profiles named.

    Or gateways, buildings, shower rooms or plants, by their members; ``hub`` is the hub itself.
    """

    kind: SubjectKind
    profiles: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _profiles_of_devices(self) -> Applies:
        if self.profiles and self.kind in AROUND:
            raise ValueError(f"a {self.kind} has no profile; name those of the members in over:")
        return self


class Pack(Spec):
    """The rules for one kind of device, place or gateway."""

    version: Literal[1]
    pack: Id
    applies_to: Applies
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Pack:
        ids = [rule.id for rule in self.rules]
        for n, one in enumerate(ids):
            if one in ids[:n]:
                raise FormError(("rules", n, "id"), f"two rules have the id {one}")
        return self

    @model_validator(mode="after")
    def _kinds_that_fit(self) -> Pack:
        about = self.applies_to.kind
        for n, rule in enumerate(self.rules):
            key = ("rules", n, "kind")
            if (rule.kind == "health") != (about == "hub"):
                what = "rules of the kind health, and no others, apply to the hub"
                raise FormError(key, f"rule {rule.id}: {what}")
            if rule.when and rule.when.mode and about in (*AROUND, "hub"):
                what = f"a mode is what a device says of itself, and a {about} says none"
                raise FormError(("rules", n, "when", "mode"), f"rule {rule.id}: {what}")
            if isinstance(rule, ErrorsRule) and about != "gateway":
                raise FormError(key, f"rule {rule.id}: rules of the kind errors apply to gateways")
            if isinstance(rule, StreamForm) and isinstance(rule, MembersRule) != (about in AROUND):
                what = f"rules of the kinds any, all, count and share apply to {', '.join(AROUND)}"
                raise FormError(key, f"rule {rule.id}: {what}; no others of those with a point do")
        return self
