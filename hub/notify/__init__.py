"""Telling people, by one pipeline whose stages stand in one visible list."""

from hub.notify.people import DutyDesk, People, Person
from hub.notify.pipeline import Letterhead, LogNotifier, Pipeline

__all__ = ["DutyDesk", "Letterhead", "LogNotifier", "People", "Person", "Pipeline"]
