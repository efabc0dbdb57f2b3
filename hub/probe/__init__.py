"""The commissioning check: whether a device is what its profile says, and what is wrong if not."""

from hub.probe.examined import Examined
from hub.probe.probe import Probe

__all__ = ["Examined", "Probe"]
