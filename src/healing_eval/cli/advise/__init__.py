"""What would another choice cost or save? One file per question."""
