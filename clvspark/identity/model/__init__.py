"""The linkage model: comparisons, training, scoring, and which of the trained ones links."""
