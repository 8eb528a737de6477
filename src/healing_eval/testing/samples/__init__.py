"""What do conversations of agents look like? About 300 of our own, for the demo and for tests, from a fixed seed."""
