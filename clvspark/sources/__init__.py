"""Landing files of every system become typed records and events; what cannot is quarantined with a reason."""
