"""Several scenes that add up, each with a motion of its own, for objects that cross."""
