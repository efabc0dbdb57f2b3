"""Signed labels: the code on a door or a device, and the sheets on which they are printed."""

from hub.labels.label import PATH, Label, Labels, Subject
from hub.labels.sheet import DEFAULT_KINDS, KINDS, Sheets, chosen

__all__ = ["DEFAULT_KINDS", "KINDS", "PATH", "Label", "Labels", "Sheets", "Subject", "chosen"]
