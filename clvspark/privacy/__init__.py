"""Privacy: consent, hashed identifiers, erasure and its tombstones."""
