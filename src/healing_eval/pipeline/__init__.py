"""In which order? One file per stage; the stages know ports and pure rooms only."""
