"""Whether the motion of a reconstruction can be trusted, and the report that says so."""
