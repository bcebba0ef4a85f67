"""Motion of parts of a phase from their likelihood, and fits that begin with it."""
