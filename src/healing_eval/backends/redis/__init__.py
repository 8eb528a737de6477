"""Redis, spoken once for every port that is kept there."""
