"""Linked pairs become groups of records of one person."""
