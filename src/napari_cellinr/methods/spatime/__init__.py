"""SpatimeINR: super-resolution in time and space from one series."""
