"""Simulated specimens with known truth, for samples, tests and demonstrations."""
