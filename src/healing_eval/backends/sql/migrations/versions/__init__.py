"""Which steps led to the schema of today? One file per step; they expand first and contract later."""
