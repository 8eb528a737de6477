"""How did the schema come to be? Alembic, driven by `migrate.py`."""
