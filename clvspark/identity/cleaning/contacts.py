"""E-mail addresses in Arrow arrays, as email-validator writes them.

The common shape is decided by a regular expression over the whole array; everything else goes to the library, value
by value. That both ways agree is held by tests/unit/identity/test_clean_contacts.py.
"""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from email_validator import EmailNotValidError, validate_email

from clvspark.identity.cleaning.text import CACHE, decide, over_distinct

_ATOM = r"[a-z0-9_!#$%&'*+\-/=?^`{|}~]+"
_PLAIN = rf"^{_ATOM}(?:\.{_ATOM})*@(?P<domain>[a-z0-9.\-]+)$"
_LONGEST = 254


def clean_emails(values: pa.Array) -> pa.Array:
    """Normalised addresses in lower case; what is none, or lies in a domain reserved for tests, is NULL.

    A plain ASCII address needs the library for its domain alone, and domains are few.
    """
    lower = pc.ascii_lower(pc.ascii_trim_whitespace(values))
    domain = pc.struct_field(pc.extract_regex(lower, _PLAIN), "domain")
    known = over_distinct(domain, _clean_domains)
    # A domain that the library writes otherwise (IDNA) has another length, which it must judge itself.
    same = pc.or_(pc.is_null(known), pc.equal(known, domain))
    short = pc.less_equal(pc.binary_length(lower), _LONGEST)
    plain = pc.and_(pc.and_kleene(pc.is_valid(domain), same), short)
    found = pc.if_else(pc.is_valid(known), lower, pa.scalar(None, pa.string()))
    return decide(values, plain, found, clean_email)


def _clean_domains(domains: pa.Array) -> pa.Array:
    return pa.array([_clean_domain(domain) for domain in domains.to_pylist()], pa.string())


@lru_cache(CACHE)
def _clean_domain(domain: str) -> str | None:
    address = clean_email(f"a@{domain}")
    return address and address.removeprefix("a@")


@lru_cache(CACHE)
def clean_email(value: str) -> str | None:
    """Normalised address in lower case by email-validator, None if it is none."""
    text = value.replace("\x00", "").strip().lower()
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        return None
