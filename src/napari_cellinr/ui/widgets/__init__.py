"""General Qt widgets that know nothing of a method."""
