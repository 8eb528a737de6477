"""Where questions wait for a batch, one file for each URL scheme."""
