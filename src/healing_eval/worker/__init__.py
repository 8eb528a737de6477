"""The door for the stream."""
