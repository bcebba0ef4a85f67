"""Recordings that are computed in parts."""
