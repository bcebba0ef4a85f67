"""Several files as one image, and the channels of one image as several."""
