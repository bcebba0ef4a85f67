"""What is known of the raw frames before the fit: noise, data, channels."""
