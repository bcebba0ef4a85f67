"""NSTM: a scene and its motion, reconstructed together from raw frames."""
