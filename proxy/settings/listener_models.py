"""Where clients connect: addresses, certificates, and who may speak for others there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from proxy.settings.fields import Cidr, Listed, Model, NotEmpty, Origin, port_of, split_url
from proxy.settings.units import wrong


def _version(value: object) -> object:
    """YAML reads 1.2 as a number."""
    return str(value) if isinstance(value, float) else value


TlsVersion = Annotated[
    Literal["1.2", "1.3"],
    BeforeValidator(_version),
    WithJsonSchema({"enum": ["1.2", "1.3", 1.2, 1.3]}),
]


class CertificatePair(Model):
    """A certificate and its key, as PEM files."""

    certificate: Path
    """The certificate and its chain. The names of its subjectAltName tell for which hosts it is."""
    key: Path
    """Its private key, not encrypted."""


class ListenerTls(Model):
    """TLS towards clients. All files are PEM; changed ones are read within seconds, for new connections."""

    certificate: Path | None = None
    """The certificate and its chain; for clients that name no server, or one that no certificate is for."""
    key: Path | None = None
    """Its private key, not encrypted."""
    certificates: Annotated[tuple[CertificatePair, ...], *Listed] = ()
    """More of them, chosen by the server name that the client sends (SNI)."""
    client_ca: Path | None = None
    """When set, clients are asked for a certificate that one of these authorities signed."""
    client_auth: Literal["required", "optional"] = "required"
    """Whether a client without a certificate is refused; a wrong one always is."""
    minimum_version: TlsVersion = "1.2"
    """The oldest version of TLS that is spoken."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise wrong("certificate and key belong together", "write both")
        if not self.pairs:
            raise wrong("there is no certificate", "write certificate and key")
        if self.client_ca is None and "client_auth" in self.model_fields_set:
            raise wrong("client_auth needs to know whose certificates count", "write client_ca")
        return self

    @property
    def pairs(self) -> tuple[CertificatePair, ...]:
        """All of them, the one of the short form first."""
        if self.certificate is None or self.key is None:
            return self.certificates
        return (CertificatePair(certificate=self.certificate, key=self.key), *self.certificates)


class ProxyProtocol(Model):
    """Every connection begins with a PROXY header (version 1 or 2), which tells who the client is."""

    senders: Annotated[tuple[Cidr, ...], NotEmpty, *Listed] = Field(alias="from", examples=[["10.0.0.0/8"]])
    """The addresses that may connect; everybody else's connection is closed."""


class Listener(Model):
    """An address that clients connect to. A plain URL may stand for the whole."""

    url: Origin = Field(examples=["http://0.0.0.0:8080"])
    """`scheme://address:port`; port 0 lets the system choose."""
    tls: ListenerTls | None = None
    """Certificates, for https."""
    proxy_protocol: ProxyProtocol | None = None
    """For a load balancer in front that hands connections on (PROXY protocol)."""

    @model_validator(mode="before")
    @classmethod
    def _accept_url(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.scheme == "https" and self.tls is None:
            raise wrong(f"{self.url} has no certificate", "write tls: {certificate: ..., key: ...} beside the url")
        if self.scheme == "http" and self.tls is not None:
            raise wrong(f"{self.url} speaks no TLS", f'write "https{self.url[4:]}", or remove tls')
        return self

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return split_url(self.url).scheme

    @property
    def host(self) -> str:
        """Address to bind, without brackets."""
        return split_url(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Port to bind; 0 lets the system choose."""
        return port_of(self.url)
