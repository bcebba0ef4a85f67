"""A result and its source, before and after: a swipe line, side by side, hold a key."""
