"""Commands: permission by configuration, guard, write, read back, audit."""

from hub.control.commands import Commands

__all__ = ["Commands"]
