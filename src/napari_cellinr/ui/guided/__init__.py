"""Choices that are explained with pictures."""
