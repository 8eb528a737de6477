"""Every figure we claim, each with the command that prints it."""
