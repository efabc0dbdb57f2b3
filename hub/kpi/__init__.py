"""How well the service promise is kept, counted by two ways that share no arithmetic."""

from hub.kpi.figure import BYS, By, Figures, Of, Period, grouping
from hub.kpi.recount import recounted
from hub.kpi.rows import MARKS, Lived, counted

__all__ = [
    "BYS",
    "MARKS",
    "By",
    "Figures",
    "Lived",
    "Of",
    "Period",
    "counted",
    "grouping",
    "recounted",
]
