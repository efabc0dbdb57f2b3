"""Why an alarm is there or not, as small JSON: the rule as it is now and what its machine holds."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from hub.engine.fault import Fault
from hub.model import Json
from rules.form import RuleForm

_WORDS = {*RuleForm.model_fields, "kind", "unit", "proof", "point", "points"}


def why_of(fault: Fault, held: Mapping[str, Json], at_ms: int) -> dict[str, Json]:
    """Return what a machine held at an instant, with its rule's numbers; read years later.

    It passes through JSON once, so that it is the same before and after a restart.
    """
    rule = fault.rule
    numbers = rule.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_WORDS)
    found = {name: one for name, one in held.get("thresholds", {}).items() if one is not None}
    whole = {
        **held,
        "at_ms": at_ms,
        "kind": rule.kind,
        "inputs": list(rule.inputs),
        "interval_ms": fault.subject.interval_ms,
        "thresholds": numbers | found,
    }
    if rule.kind == "health":
        whole["about"] = rule.subject
    known: dict[str, Json] = orjson.loads(orjson.dumps(whole))
    return known
