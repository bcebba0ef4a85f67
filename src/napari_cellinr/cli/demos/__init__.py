"""The demonstrations: simulated data, a fit, scores against the ground truth, and a picture."""
