"""OME-Zarr 0.4 and 0.5, and plain Zarr."""
