"""Audiences become lists at destinations: consent gate, holdout, outbox, delivery."""
