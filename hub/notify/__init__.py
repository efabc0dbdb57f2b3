"""Telling people, by one pipeline whose stages stand in one visible list."""

from hub.notify.pipeline import LogNotifier, Pipeline

__all__ = ["LogNotifier", "Pipeline"]
