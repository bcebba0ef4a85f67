"""What fault runs share: commands and their files, damaged files, processes that read them."""
