"""What several commands share: options, progress, reading and saving."""
