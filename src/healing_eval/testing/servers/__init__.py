"""Real servers for tests and benchmarks: started as children on loopback, ended by pid."""
