"""Providers that take many questions at once, one file each."""
