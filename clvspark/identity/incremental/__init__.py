"""What a change of records, decisions or settings can reach, and only that computed anew."""
