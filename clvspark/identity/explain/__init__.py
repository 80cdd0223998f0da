"""Why two records are one person, or are not, and what holds a person together."""
