"""From an event to a row of the outbox: the stream on a source that is filled at a rate."""
