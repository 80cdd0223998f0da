"""Privacy: redaction of personal data, tokens of identifiers, consent."""
