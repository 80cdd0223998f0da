"""Identity resolution beside Splink and GoldenMatch."""
