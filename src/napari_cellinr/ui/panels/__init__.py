"""The parts that docks are made of."""
