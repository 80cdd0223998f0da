"""Give Java the certificate authorities that the rest of the machine trusts.

A Java brings a list of its own, which lacks the authority of a company's network. Python's `ssl`
already knows the system's list (and ``SSL_CERT_FILE``), so it is handed over in Java's format.
"""

from __future__ import annotations

import hashlib
import ssl
import struct
import time
from pathlib import Path

# Where distributions keep the list, for a Python whose OpenSSL was built to look elsewhere.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

# JKS, the format that every Java reads: magic number, version, count, then one entry each
# (2 = trusted certificate), and a digest over a fixed phrase of Sun's and the password.
_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_DIGEST_PHRASE = b"Mighty Aphrodite"
PASSWORD = "changeit"  # noqa: S105 - Java's own default: the list is public, the digest only finds damage


def system_authorities() -> list[bytes]:
    """Return the certificates (DER) that this machine trusts; empty when it has no such list."""
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        for bundle in filter(Path.is_file, map(Path, _BUNDLES)):
            context.load_verify_locations(cafile=bundle)
            break
    return context.get_ca_certs(binary_form=True)


def write_trust_store(path: Path, authorities: list[bytes]) -> None:
    """Write `authorities` as a Java key store (JKS) with the password `PASSWORD`."""
    created = int(time.time() * 1000)
    body = struct.pack(">III", _MAGIC, _VERSION, len(authorities))
    for number, certificate in enumerate(authorities):
        body += struct.pack(">I", _TRUSTED) + _text(f"authority-{number}")
        body += struct.pack(">Q", created) + _text("X.509")
        body += struct.pack(">I", len(certificate)) + certificate
    secret = PASSWORD.encode("utf-16-be") + _DIGEST_PHRASE
    path.write_bytes(body + hashlib.sha1(secret + body, usedforsecurity=False).digest())


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded
