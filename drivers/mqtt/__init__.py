"""Devices that publish over MQTT."""
