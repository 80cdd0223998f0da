"""Records become comparable: names, dates, addresses and identifiers in one spelling."""
