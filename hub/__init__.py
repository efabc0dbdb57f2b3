"""Campus Hub: telemetry and control for campus facilities."""

__version__ = "0.1.0"
