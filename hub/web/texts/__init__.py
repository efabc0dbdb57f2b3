"""Every word of the pages in both languages, side by side so that neither can lack one."""

from __future__ import annotations

from collections.abc import Mapping

from hub.model import Text
from hub.web.texts import (
    alarms,
    campus,
    cost,
    crew,
    energy,
    explain,
    frame,
    hot_water,
    lines,
    message_link,
    reports,
    service,
    simulators,
    tickets,
)

SUBJECTS = (
    frame,
    alarms,
    explain,
    campus,
    energy,
    cost,
    hot_water,
    tickets,
    crew,
    lines,
    message_link,
    reports,
    service,
    simulators,
)
TEXTS: Mapping[str, Text] = {
    key: Text(zh, en) for subject in SUBJECTS for key, (zh, en) in subject.WORDS.items()
}


def say(key: str, language: str, **names: object) -> str:
    """Return the words for a key in a language, with ``{names}`` filled in.

    >>> say("due", "en", time="19:35")
    'by 19:35'
    """
    return TEXTS[key].in_language(language).format(**names)


def say_code(prefix: str, code: str, language: str) -> str:
    """Return the words for a code of another part; an unknown one is shown as it is.

    >>> say_code("fault", "silent", "en"), say_code("fault", "odd_thing", "en")
    ('silent', 'odd thing')
    """
    key = f"{prefix}-{code}"
    if key in TEXTS:
        return TEXTS[key].in_language(language)
    return code.replace("_", " ").replace("-", " ")
