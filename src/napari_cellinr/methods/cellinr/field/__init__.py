"""The network of CellINR learns the errors of the initial estimate from the one image."""
