"""What is it? Frozen values; they never wait and never log."""
