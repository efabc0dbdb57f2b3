"""Read and check a config folder once; every error with file, line and key."""

from hub.settings.folder import Settings, load, schemas, shipped
from hub.settings.tree import build_site

__all__ = ["Settings", "build_site", "load", "schemas", "shipped"]
