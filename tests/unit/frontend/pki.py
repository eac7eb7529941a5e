"""Certificates for listeners and their clients, and where their files are."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import trustme


class Pki:
    """An authority and what it signs.

    :ivar folder: where the files are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)

    def write(self, stem: str, *names: str, **more: Any) -> str:
        """Write `STEM.pem` and `STEM.key` for these hosts; gives them in YAML's flow style, without braces."""
        made = self.authority.issue_cert(*names, **more)
        certificate, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(key)
        return f"certificate: {certificate}, key: {key}"

    def client(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """What a client needs that believes the authority, and may show a certificate."""
        context = ssl.create_default_context()
        context.check_hostname = False  # hosts are what these tests are about
        self.authority.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        return context


def listening(tls: str, more: str = "") -> str:
    """A listener with TLS, in flow style."""
    return f"{{url: https://127.0.0.1:0, tls: {{{tls}}}{more}}}"
