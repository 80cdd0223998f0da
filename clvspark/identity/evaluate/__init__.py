"""Persons held against labelled records."""
