"""Live acquisition: a layer whose data grow is followed."""
