"""The jobs: one file per method, from an Image and its settings to Fitted."""
