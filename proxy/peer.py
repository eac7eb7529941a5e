"""Who sent a request: an address, and what was shown in the TLS handshake."""

from __future__ import annotations


class ClientCertificate:
    """What a client has shown in its TLS handshake, and an authority of the listener's `client_ca` has signed.

    :ivar subject: its distinguished name as RFC 4514 writes it, such as `CN=robot,O=Example`; ASCII, the rest escaped.
    :ivar issuer: that of whoever signed it.
    :ivar names: its other names, such as `DNS:robot.example.com` or `URI:spiffe://example.com/robot`; ASCII.
    :ivar serial: its serial number, hexadecimal in capitals.
    :ivar fingerprint: SHA-256 of its DER encoding, hexadecimal.
    :ivar expires: seconds since the epoch.
    """

    __slots__ = ("expires", "fingerprint", "issuer", "names", "serial", "subject")

    def __init__(
        self, *, subject: str, issuer: str, names: tuple[str, ...], serial: str, fingerprint: str, expires: float
    ) -> None:
        self.subject = subject
        self.issuer = issuer
        self.names = names
        self.serial = serial
        self.fingerprint = fingerprint
        self.expires = expires

    def __str__(self) -> str:
        return self.subject


class Peer:
    """Who sent the request.

    :ivar host: the client's address, read from X-Forwarded-For where a trusted proxy handed it on.
    :ivar port: the client's port; 0 when a proxy did not tell.
    :ivar address: the address of the socket itself.
    :ivar trusted: whether the socket's address is among `trusted_proxies`.
    :ivar certificate: what was shown in the TLS handshake, by whoever holds the socket; None without one.
    """

    __slots__ = ("address", "certificate", "host", "port", "trusted")

    def __init__(
        self,
        host: str,
        port: int = 0,
        *,
        address: str = "",
        trusted: bool = False,
        certificate: ClientCertificate | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.address = address or host
        self.trusted = trusted
        self.certificate = certificate

    def __str__(self) -> str:
        return self.host
