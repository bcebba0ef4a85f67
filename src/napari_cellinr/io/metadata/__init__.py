"""What files say of an image: units, times, colours, orientation, and our own record."""
