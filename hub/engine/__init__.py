"""The journal's entries through the rules to alarms and tickets: a pure core, a thin edge."""

from hub.engine.core import Answer, Core, log_line
from hub.engine.edge import Engine

__all__ = ["Answer", "Core", "Engine", "log_line"]
