"""What do plain rules say? Speed, form, completeness, repetition and failed tools, without a model."""
