"""Who judges the judges? Statistics, pure."""
