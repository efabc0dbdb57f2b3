"""Words and short names that all values share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Json = Any
Severity = Literal["small", "ordinary", "large"]


def written_duration(value: Json) -> Json:
    """Check that a duration is written as in ISO 8601, the one notation of all files."""
    if not (isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P"))):
        raise ValueError("a duration is written like PT30S, PT5M, PT2H or P7D")
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """A word for people in both languages."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        """Return the English form for ``en``, else the Chinese one."""
        return self.en if language == "en" else self.zh
