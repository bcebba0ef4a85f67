"""Conventional methods and noise: what fits start from and are compared with."""
