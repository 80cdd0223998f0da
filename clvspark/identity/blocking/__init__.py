"""Which pairs are compared at all, and what that costs before anything is."""
