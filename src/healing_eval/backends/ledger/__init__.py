"""Who keeps conversations, evaluations and verdicts? One file per URL scheme."""
