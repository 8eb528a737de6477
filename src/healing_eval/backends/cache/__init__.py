"""Where is it kept what was found before? One file per URL scheme."""
