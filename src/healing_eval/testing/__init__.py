"""Contract suites, builders and fakes, for us and for authors of plug-ins."""
