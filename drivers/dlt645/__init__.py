"""Meters that are polled over DL/T 645-2007."""
