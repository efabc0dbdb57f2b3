"""Fault rules, alarm life cycle and service clocks; pure: time comes with the reading."""
