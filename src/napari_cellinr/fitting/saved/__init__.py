"""Saved fits: their form, and checks of files that are damaged."""
