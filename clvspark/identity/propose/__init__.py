"""Settings proposed from the data: kinds of columns, blocking and training rules."""
