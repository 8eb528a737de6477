"""Foreign languages: a folder is a port, a file is a URL scheme."""
