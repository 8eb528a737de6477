"""What did they send? Bytes become conversations; pure."""
