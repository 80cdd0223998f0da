"""Lifetime value beside lifetimes and PyMC-Marketing."""
