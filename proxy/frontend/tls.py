"""TLS towards clients: certificates by server name, client certificates, and files that are renewed under way.

Loaded only when a listener has certificates. The handshake itself is asyncio's or uvloop's; here are the contexts that
they are given. New files count for new handshakes: connections keep what they began with.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import os
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from proxy.frontend.identity import Identity
from proxy.frontend.pem import BadFile, Pair, check_authorities, check_pair
from proxy.metrics import Metrics
from proxy.peer import ClientCertificate

log = logging.getLogger("passerelle.tls")

_LOOK_EVERY = 5.0  # seconds between two looks at the files
_PROTOCOLS = ["http/1.1"]  # RFC 7301
_ATTRIBUTES = {  # RFC 4514 section 3
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}


class Options:
    """What a listener's TLS is to be.

    :ivar pairs: certificates with their keys; the first is for clients that name no server, or an unknown one.
    :ivar client_ca: authorities that sign clients' certificates; None asks for none.
    :ivar required: whether a client without a certificate is refused.
    :ivar minimum: the oldest version spoken.
    """

    __slots__ = ("client_ca", "minimum", "pairs", "required")

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        client_ca: Path | None = None,
        required: bool = True,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ) -> None:
        self.pairs = tuple(pairs)
        self.client_ca = client_ca
        self.required = required
        self.minimum = minimum

    @property
    def files(self) -> list[Path]:
        """All that is read."""
        found = [path for pair in self.pairs for path in (pair.certificate, pair.key)]
        return found if self.client_ca is None else [*found, self.client_ca]


class Hosts:
    """The hosts that a certificate is for (RFC 9525 section 6)."""

    __slots__ = ("_exact", "_wild")

    def __init__(self, names: Iterable[str], addresses: Iterable[str] = ()) -> None:
        known = tuple(names)
        self._wild = frozenset(name[1:] for name in known if name.startswith("*."))
        self._exact = frozenset(known).union(addresses)

    def covers(self, authority: str) -> bool:
        """Whether an authority, with its port or without, is one of them; `*.` stands for exactly one label."""
        host = _host(authority)
        return host in self._exact or _suffix(host) in self._wild


def _host(authority: str) -> str:
    if authority.startswith("["):
        return str(ipaddress.ip_address(authority[1:].partition("]")[0]))
    return authority.partition(":")[0].lower().removesuffix(".")


def _suffix(host: str) -> str:
    """What is left of a name without its first label, beginning with the dot."""
    label, dot, rest = host.partition(".")
    return dot + rest if label else ""


class Context(ssl.SSLContext):
    """A certificate as handshakes use it.

    :ivar hosts: what it is for; None in the context of a handshake for which no server name has chosen one.
    """

    hosts: Hosts | None = None


class _Loaded:
    """The files as they were read at one time.

    :ivar door: the context that every handshake begins with.
    :raises BadFile: naming the file and the remedy.
    """

    def __init__(self, options: Options) -> None:
        if options.client_ca is not None:
            check_authorities(options.client_ca)
        self.facts = [check_pair(pair) for pair in options.pairs]
        self.door = _context(options, options.pairs[0])
        self._exact: dict[str, Context] = {}
        self._wild: dict[str, Context] = {}
        for pair, facts in zip(options.pairs, self.facts, strict=True):
            context = _context(options, pair)
            context.hosts = Hosts(facts.names, facts.addresses)
            for name in facts.names:
                known, key = (self._wild, name[1:]) if name.startswith("*.") else (self._exact, name)
                known.setdefault(key, context)
        self.door.sni_callback = self._choose

    def _choose(self, handshake: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """The client named a server (RFC 6066 section 3), or None."""
        host = (name or "").lower()
        found = self._exact.get(host) or self._wild.get(_suffix(host))
        if found is not None:
            handshake.context = found


def _context(options: Options, pair: Pair) -> Context:
    context = Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = options.minimum
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_PROTOCOLS)
    try:
        context.load_cert_chain(pair.certificate, pair.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise pair.refused(error) from error
    if options.client_ca is not None:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if options.required else ssl.CERT_OPTIONAL
    return context


def _no_password() -> str:
    """Without this OpenSSL would ask for one on the terminal."""
    raise ValueError("the key is encrypted")


class Certificates:
    """One listener's certificates, looked at now and then.

    :param now: the time of day, seconds since the epoch.
    :raises BadFile: when a file cannot be used; later such a file is logged, and what was there stays.
    """

    def __init__(self, options: Options, metrics: Metrics, *, now: Callable[[], float] = time.time) -> None:
        self._options = options
        self._now = now
        self._seen = _marks(options.files)
        self._loaded = _Loaded(options)
        counter, gauge = metrics.counter, metrics.gauge
        self._reloads = counter(
            "passerelle_tls_certificate_reloads_total", "Looks that found certificate files changed.", ("outcome",)
        )
        self._ends = gauge(
            "passerelle_tls_certificate_expires_seconds", "Until when, in seconds since the epoch.", ("certificate",)
        )
        self._failures = counter("passerelle_tls_handshake_failures_total", "Handshakes that failed.", ("reason",))
        self._tell_ends()

    @property
    def context(self) -> Context:
        """What the next handshake begins with."""
        return self._loaded.door

    def doubts(self) -> list[tuple[int, str]]:
        """What is no reason not to start: the index of the pair, and what is doubtful about its certificate."""
        found = [(index, facts.doubt(self._now())) for index, facts in enumerate(self._loaded.facts)]
        nameless = [
            (index, "names no host, so that no client will ever be shown it")
            for index, facts in enumerate(self._loaded.facts)
            if index and not facts.names
        ]
        return [(index, doubt) for index, doubt in found if doubt] + nameless

    def identify(self, identity: Identity, handshake: ssl.SSLObject) -> None:
        """Add what a handshake has shown."""
        identity.hosts = chosen_hosts(handshake)
        if self._options.client_ca is not None:
            identity.peer.certificate = client_certificate(handshake)

    def failed(self, error: BaseException) -> None:
        """A handshake did not come to its end: strangers can make any number of these, so it is only counted."""
        reason = failure(error)
        self._failures.inc(reason)
        log.debug("a TLS handshake failed (%s): %s", reason, error)

    async def watch(self, every: float = _LOOK_EVERY) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every)
            await self.look()

    async def look(self) -> None:
        """Take files that have changed. Reading is done by another thread, since a disk may be slow."""
        marks = await asyncio.to_thread(_marks, self._options.files)
        if marks == self._seen:
            return
        self._seen = marks  # before they are read: a change meanwhile is seen the next time
        try:
            self._loaded = await asyncio.to_thread(_Loaded, self._options)
        except BadFile as error:
            self._reloads.inc("failed")
            log.error("%s; %s. The certificates read before are kept", error, error.remedy)
            return
        self._reloads.inc("done")
        self._tell_ends()
        log.info("read changed certificates: %s", ", ".join(str(pair.certificate) for pair in self._options.pairs))
        for index, doubt in self.doubts():
            log.warning("%s %s", self._options.pairs[index].certificate, doubt)

    def _tell_ends(self) -> None:
        for pair, facts in zip(self._options.pairs, self._loaded.facts, strict=True):
            self._ends.set(facts.ends, str(pair.certificate))


def _marks(files: Iterable[Path]) -> list[tuple[int, ...]]:
    """What changes when a file does; links are followed, since that is how Kubernetes swaps them."""
    return [_mark(path) for path in files]


def _mark(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ino, found.st_dev, found.st_size)


# what a handshake has shown


def chosen_hosts(handshake: ssl.SSLObject) -> Hosts | None:
    """The hosts of the certificate that the client's server name chose; None when it chose none."""
    context = handshake.context
    return context.hosts if isinstance(context, Context) else None


def client_certificate(handshake: ssl.SSLObject) -> ClientCertificate | None:
    """The certificate that the client has shown, which was verified; None when it has shown none."""
    der = handshake.getpeercert(True)
    said: dict[str, Any] = handshake.getpeercert() or {}
    if der is None or not said:
        return None
    return ClientCertificate(
        subject=_distinguished(said["subject"]),
        issuer=_distinguished(said["issuer"]),
        names=tuple(f"{kind}:{_escaped(str(value))}" for kind, value in said.get("subjectAltName", ())),
        serial=said["serialNumber"],
        fingerprint=hashlib.sha256(der).hexdigest(),
        expires=ssl.cert_time_to_seconds(said["notAfter"]),
    )


def _distinguished(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    """A distinguished name as RFC 4514 writes it, the last part first."""
    parts = ["+".join(f"{_ATTRIBUTES.get(kind, kind)}={_escaped(value)}" for kind, value in part) for part in name]
    return ",".join(reversed(parts))


def _escaped(value: str) -> str:
    """RFC 4514 section 2.4: what has a meaning is escaped, and so is all that is not ASCII, that nothing be lost.

    Spaces at the ends are written in hexadecimal, since a header field would lose them.
    """
    core = value.strip(" ")
    if not core:
        return "\\20" * len(value)
    before, after = value.partition(core)[::2]
    mark = "\\" if value.startswith("#") else ""
    return "\\20" * len(before) + mark + "".join(map(_escape, core)) + "\\20" * len(after)


def _escape(char: str) -> str:
    if char in '"+,;<>\\=':
        return "\\" + char
    if " " <= char <= "~":
        return char
    return "".join(f"\\{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


def failure(error: BaseException) -> str:
    """A word for why a handshake failed, for metrics."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(error, ssl.SSLError):
        return "protocol"
    if isinstance(error, ConnectionAbortedError | TimeoutError):
        return "timeout"
    return "left" if isinstance(error, ConnectionError) else "other"
