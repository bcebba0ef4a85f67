"""Finer voxels: planes along Z, and pixels along Y and X."""
