"""What is checked before a file is believed, and how files are written, locked and deleted."""
