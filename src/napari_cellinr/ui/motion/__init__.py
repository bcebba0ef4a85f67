"""What explains arrows and tracks: a colour bar, and a table of tracks."""
