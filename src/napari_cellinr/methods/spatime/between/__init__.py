"""Frames between frames: motion, how far it is trusted, and blending."""
