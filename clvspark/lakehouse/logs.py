"""Logging with one filter that removes what looks like personal data or a secret from every record."""

from __future__ import annotations

import logging
import re

_PATTERNS = (
    (re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+"), "<email>"),
    (
        re.compile(r"(?i)\b(password|secret|token|pepper|api[_-]?key)\b(\s*[=:]\s*)\S+"),
        r"\1\2<redacted>",
    ),
    # Dates and times stay: messages name the day of a run. A colon may part a system from a record's id.
    (
        re.compile(
            r"(?<![\w./-])(?<!\b\d\d:)(?!\d{4}-\d\d-\d\d\b)\+?\d[\d ()-]{7,16}\d(?![\w./-]|:\d)"
        ),
        "<number>",
    ),
)


def redact(text: str) -> str:
    """Replace e-mail addresses, phone-like numbers and secrets in `text` by their kind."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """Redacts the finished message and the text of any exception of a log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; never drops it."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True


def configure_logging(level: str = "WARNING") -> None:
    """Send the package's log to standard error through the redacting filter; safe to call twice."""
    logger = logging.getLogger("clvspark")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.addFilter(RedactingFilter())
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
    logger.setLevel(level)
