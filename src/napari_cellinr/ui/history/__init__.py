"""What was done in a viewer: the steps of the script, and the runs with their settings."""
