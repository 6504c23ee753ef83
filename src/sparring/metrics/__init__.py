"""How good samples are: pure functions on feature arrays (n × d), real first, each an Estimate."""
