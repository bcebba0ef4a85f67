"""A job of a viewer while it runs: its thread, progress and devices."""
