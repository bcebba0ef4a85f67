"""Applies a recipe to many images."""
