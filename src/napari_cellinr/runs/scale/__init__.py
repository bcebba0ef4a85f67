"""Recordings that are larger than memory: planned once, computed in parts, on any machine."""
