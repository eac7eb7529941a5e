"""Who sent a request."""

from __future__ import annotations

from proxy.peer import ClientCertificate, Peer


def test_the_socket_is_the_client_unless_a_proxy_says_otherwise() -> None:
    peer = Peer("192.0.2.1", 5000)
    assert (str(peer), peer.address, peer.trusted, peer.certificate) == ("192.0.2.1", "192.0.2.1", False, None)
    assert Peer("192.0.2.1", address="10.0.0.1", trusted=True).address == "10.0.0.1"


def test_a_certificate_is_shown_as_its_subject() -> None:
    shown = ClientCertificate(
        subject="CN=a", issuer="CN=b", names=("DNS:a",), serial="1", fingerprint="ff", expires=1.0
    )
    assert (str(shown), shown.names, shown.expires) == ("CN=a", ("DNS:a",), 1.0)
