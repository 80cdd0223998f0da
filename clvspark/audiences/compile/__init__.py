"""Conditions become columns of Spark, from their parsed types only: no text of a rule is ever read as SQL."""
