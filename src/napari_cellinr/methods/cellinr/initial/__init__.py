"""What CellINR's field starts from: noise, initial estimate, least-squares kernels, background."""
