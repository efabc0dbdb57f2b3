"""Residents' reports: what may be reported, how a person sends it, and what becomes of it."""
