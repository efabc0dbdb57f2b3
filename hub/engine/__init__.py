"""The journal's entries through the rules to alarms and tickets: a pure core, a thin edge."""

from hub.engine.core import Core
from hub.engine.deeds import Answer
from hub.engine.edge import Engine
from hub.engine.log import log_line

__all__ = ["Answer", "Core", "Engine", "log_line"]
