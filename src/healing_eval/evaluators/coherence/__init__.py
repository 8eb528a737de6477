"""Does the conversation hold together? Frustration, contradictions, unanswered requests, violated preferences."""
