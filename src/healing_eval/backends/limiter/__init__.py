"""Where is it kept whose turn it is to ask a model? One file per URL scheme."""
