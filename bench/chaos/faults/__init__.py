"""What can break: one file for each part, one function for each fault."""
