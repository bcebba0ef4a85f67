"""Several scenes that add up, each with a motion of its own, for things that cross."""
