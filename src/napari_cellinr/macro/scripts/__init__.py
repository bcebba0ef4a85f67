"""Macros as text: scripts, command lines and notebooks, written and parsed."""
