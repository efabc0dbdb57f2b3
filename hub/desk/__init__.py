"""Tickets: the work of people on a fault, its clocks and its proof; pure, time is an argument."""

from hub.desk.action import Action
from hub.desk.desk import Desk
from hub.desk.work import Work, cause_of

__all__ = ["Action", "Desk", "Work", "cause_of"]
