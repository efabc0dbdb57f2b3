"""Devices that are polled over Modbus."""
