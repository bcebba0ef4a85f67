"""What the fault runs share: commands and their files, damaged files, and processes that read them."""
