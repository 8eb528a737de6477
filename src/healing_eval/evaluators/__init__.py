"""What do I think of this conversation? Plug-ins, reached by name."""
