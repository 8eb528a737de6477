"""Who keeps what belongs to no single conversation? One file per URL scheme."""
