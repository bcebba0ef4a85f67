"""Voxels and nodes of grids: positions, interpolation between them, samples in a voxel."""
