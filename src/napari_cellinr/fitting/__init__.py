"""Fits in general: problems, the optimisation loop, checkpoints, devices, memory and reports."""
