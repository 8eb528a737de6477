"""What do the evaluators see on real conversations? Their truth is read beside the evaluators, never by them."""
