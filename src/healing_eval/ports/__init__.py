"""What can be swapped? One small file per port, all Protocols, reached through entry points."""
