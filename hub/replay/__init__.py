"""A journal once more through the engine: the same log, and whether it is what was kept."""

from hub.replay.comparison import Difference, Since, differences
from hub.replay.log import Log
from hub.replay.replay import Replay, replay

__all__ = ["Difference", "Log", "Replay", "Since", "differences", "replay"]
