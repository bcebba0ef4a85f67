"""Everything that knows Qt and napari; nothing here is loaded by the rest of the package."""
