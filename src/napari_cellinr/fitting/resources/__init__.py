"""Devices and memory: what is there, and what happens if it does not suffice."""
