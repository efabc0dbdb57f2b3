"""The durable log: everything the hub acts on stands here, synced, before anything acts on it."""

from hub.journal.body import pack, unpack
from hub.journal.connection import open_beside, open_connection
from hub.journal.held import Held, Pile
from hub.journal.journal import Journal
from hub.journal.retention import Retention
from hub.journal.room import Room
from hub.journal.shedding import Shedding

__all__ = [
    "Held",
    "Journal",
    "Pile",
    "Retention",
    "Room",
    "Shedding",
    "open_beside",
    "open_connection",
    "pack",
    "unpack",
]
