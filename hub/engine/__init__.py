"""The journal's entries through the rules to alarms and tickets: a pure core, a thin edge."""

from hub.engine.core import Answer, Core
from hub.engine.edge import Engine
from hub.engine.log import log_line

__all__ = ["Answer", "Core", "Engine", "log_line"]
