"""Forward models: what a microscope records of a scene. Tensors and numbers only."""
