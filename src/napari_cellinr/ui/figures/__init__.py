"""Figures and movies of the layers of a viewer."""
