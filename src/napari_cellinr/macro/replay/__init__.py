"""Repeats the steps of a macro without a viewer."""
