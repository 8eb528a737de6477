"""Where do old months go? One file per URL scheme."""
