"""What people did lately, so that an action that is told twice has one effect and one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hub.desk import Action
from hub.desk.action import action_of
from hub.model import Effect, Json
from hub.ports import Refused

REMEMBERED = 1000

Act = Callable[[Action], tuple[str, list[Effect]]]
"""Do what somebody did, or raise Refused; return what it is about and what changed."""


class Answer(NamedTuple):
    """What became of an action: its ticket, alarm or outage, or why it was refused."""

    action: str
    subject: str
    refusal: str | None = None


class Deeds:
    """The latest actions with what they were about; ``answer`` is that of the very last."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self._done: dict[str, str] = {}

    def take(self, content: Mapping[str, Any], act: Act) -> list[Effect]:
        """Let an action have its effects, unless it is known; note what became of it."""
        action_id = str(content.get("id", ""))
        if subject := self._done.get(action_id):  # told twice: it has its effect already
            self.answer = Answer(action_id, subject)
            return []
        try:
            action = action_of(content)
            subject, effects = act(action)
        except Refused as refusal:
            self.answer = Answer(action_id, "", str(refusal))
            return []
        self._done[action.id] = subject
        if len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]
        self.answer = Answer(action.id, subject)
        return effects

    def save(self) -> list[Sequence[Json]]:
        """Return the state as JSON."""
        return [list(one) for one in self._done.items()]

    def load(self, state: Sequence[tuple[str, str]]) -> None:
        """Take back what :meth:`save` returned."""
        self._done = dict(state)
