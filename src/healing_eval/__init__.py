"""Evaluate the conversations of AI agents in production, and heal what goes wrong again and again."""

__version__ = "0.1.0"
