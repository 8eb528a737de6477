"""What is lost, and what is counted twice, when each part breaks? Counted by rows, on real servers and processes."""
