"""Neural fields: coordinate encodings, networks, feature grids and motion fields; torch only."""
