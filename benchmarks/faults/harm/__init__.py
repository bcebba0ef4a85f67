"""What the fault run `hostile` is made of: damaged files of ours, and processes that read them."""
