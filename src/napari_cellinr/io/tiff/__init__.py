"""TIFF: plain, ImageJ, OME and MetaMorph."""
