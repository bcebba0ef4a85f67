"""Noise, patterns and faults of cameras: estimated, stabilised, drawn and repaired."""
