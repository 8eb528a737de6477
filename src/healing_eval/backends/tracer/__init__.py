"""Spans by the scheme of who takes them."""
