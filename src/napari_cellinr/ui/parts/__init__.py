"""Runs in parts from the viewer: for layers that are larger than memory."""
