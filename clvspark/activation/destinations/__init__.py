"""Where lists go: one module a kind of destination, all behind `Sender`."""
