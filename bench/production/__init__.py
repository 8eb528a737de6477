"""What does the whole production path carry? API, stream, workers and store, in real processes on real servers."""
