"""What listeners need beside their address: from settings to certificates, with all that is wrong about the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.build.runtime import Runtime
from proxy.settings import Document, KeyPath, ListenerTls, Problem, Settings

if TYPE_CHECKING:
    from proxy.frontend.tls import Certificates, Options


def make_certificates(
    settings: Settings, document: Document, runtime: Runtime, problems: list[Problem]
) -> tuple[dict[ListenerTls, Certificates], list[Problem]]:
    """The certificates of all listeners, by what is written about them; and what is doubtful about them.

    :param problems: takes what is wrong.
    """
    made: dict[ListenerTls, Certificates] = {}
    doubts: list[Problem] = []
    for index, listener in enumerate(settings.listen):
        if listener.tls is not None:
            certificates = _read(listener.tls, index, document, runtime, problems)
            if certificates is not None:
                made[listener.tls] = certificates
                doubts += _doubts(listener.tls, certificates, index, document)
    return made, doubts


def _read(
    tls: ListenerTls, index: int, document: Document, runtime: Runtime, problems: list[Problem]
) -> Certificates | None:
    from proxy.frontend.pem import BadFile  # loaded by those who have certificates
    from proxy.frontend.tls import Certificates

    try:
        return Certificates(_options(tls), runtime.metrics, now=runtime.clock.time)
    except BadFile as error:
        at = _place(tls, index, error.index, error.option)
        problems.append(document.problem(at, str(error), error.remedy))
        return None


def _doubts(tls: ListenerTls, certificates: Certificates, index: int, document: Document) -> list[Problem]:
    found = []
    for number, doubt in certificates.doubts():
        at = _place(tls, index, number, "certificate")
        message = f"the certificate in {tls.pairs[number].certificate} {doubt}"
        found.append(document.warning(at, message, "renew it" if "expired" in doubt else ""))
    return found


def _options(tls: ListenerTls) -> Options:
    from ssl import TLSVersion

    from proxy.frontend.pem import Pair
    from proxy.frontend.tls import Options

    return Options(
        [Pair(pair.certificate, pair.key, number) for number, pair in enumerate(tls.pairs)],
        client_ca=tls.client_ca,
        required=tls.client_auth == "required",
        minimum=TLSVersion.TLSv1_3 if tls.minimum_version == "1.3" else TLSVersion.TLSv1_2,
    )


def _place(tls: ListenerTls, index: int, number: int, option: str) -> KeyPath:
    """Where a file is named: by a key of its own, or in the list."""
    at: KeyPath = ("listen", index, "tls")
    if option == "client_ca":
        return (*at, option)
    if tls.certificate is None:
        return (*at, "certificates", number, option)
    return (*at, option) if number == 0 else (*at, "certificates", number - 1, option)
