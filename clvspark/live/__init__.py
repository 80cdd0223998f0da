"""Near real time: what comes is recognised, decided upon and told within seconds, and added up within a minute."""
