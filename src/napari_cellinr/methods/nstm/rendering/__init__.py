"""Images of a fit: the scene at each time, its motion, and how far that can be trusted."""
