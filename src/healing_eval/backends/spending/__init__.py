"""Where is it counted what budgets have spent? One file per URL scheme."""
