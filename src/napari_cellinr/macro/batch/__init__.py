"""One recipe applied to many images."""
