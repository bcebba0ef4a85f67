"""What a recording has besides the specimen: blank frames, patterns and maps of the camera."""
