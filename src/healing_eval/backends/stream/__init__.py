"""Who rings when there is work? One file per URL scheme."""
