"""CellINR: noise and background removed by a neural field fitted to one image."""
