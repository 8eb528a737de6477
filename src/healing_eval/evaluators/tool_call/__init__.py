"""Were the tools called rightly? No model needed."""
