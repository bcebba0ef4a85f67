"""CellINR as published, repaired where it cannot work as printed: preset `paper`."""
