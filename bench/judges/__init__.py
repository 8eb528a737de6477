"""Are several judges better than one, and at what price? Stored answers of real judges, joined by our code."""
