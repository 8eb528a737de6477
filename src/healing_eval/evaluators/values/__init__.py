"""Which dates, times, numbers and words does a text hold? Shared by the evaluators that compare values."""
