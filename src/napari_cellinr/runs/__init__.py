"""One run of a method: its request, its start, its checkpoint, and estimates of its cost."""
