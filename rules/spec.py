"""Rules as people write them; a closed union, unknown keys are errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hub.model import Severity
from rules.form import FormError, Id, RuleForm, Spec, StreamForm
from rules.spec_streams import MembersRule, StreamRule
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


Rule = Annotated[StreamRule | WindowRule | HealthRule, Field(discriminator="kind")]


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
            if isinstance(rule, StreamForm) and isinstance(rule, MembersRule) != (about in AROUND):
                what = f"rules of the kinds any, all, count and share apply to {', '.join(AROUND)}"
                raise FormError(key, f"rule {rule.id}: {what}; no others of those with a point do")
        return self
