"""Simulated devices: physics behind real protocols, or in virtual time."""
