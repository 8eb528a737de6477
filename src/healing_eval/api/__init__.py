"""The door for JSON: one file per resource."""
