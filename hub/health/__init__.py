"""Which devices, buses and gateways answer; lost and back are said once."""

from hub.health.broker import BrokerWatch
from hub.health.health import LETTER_BYTES, LETTERS_A_MINUTE, Health
from hub.health.record import Frozen
from hub.health.record import State as DeviceState
from hub.health.stillness import Stillness

__all__ = [
    "LETTERS_A_MINUTE",
    "LETTER_BYTES",
    "BrokerWatch",
    "DeviceState",
    "Frozen",
    "Health",
    "Stillness",
]
