"""Read and check a config folder once; every error with file, line and key."""

from hub.settings.folder import load, schemas, shipped
from hub.settings.in_force import Settings
from hub.settings.tree import build_site

__all__ = ["Settings", "build_site", "load", "schemas", "shipped"]
