"""How is SQL spoken? SQLAlchemy Core, the same for every SQL database."""
