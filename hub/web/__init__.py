"""HTTP: the JSON API, the pages and the live stream."""

from hub.web.application import build
from hub.web.parts import Parts

__all__ = ["Parts", "build"]
