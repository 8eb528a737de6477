"""Where is it kept who may? One file per URL scheme."""
