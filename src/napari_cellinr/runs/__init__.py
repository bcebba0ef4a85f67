"""One run of a method: what is asked for, how it starts, and what it will cost."""
