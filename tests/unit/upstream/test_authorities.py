"""Authorities that are read when they are needed: later, but no less."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from proxy.upstream.authorities import Deferred, deferring, read_authorities


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The only one that the system knows."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return made


def deferred() -> ssl.SSLContext:
    with deferring():
        return ssl.create_default_context()


def shake_hands(context: ssl.SSLContext, authority: trustme.CA) -> None:
    """Talk to a server whose certificate is of `authority`, in memory."""
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(there)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = context.wrap_bio(down, up, server_hostname="localhost"), there.wrap_bio(up, down, server_side=True)
    for end in (*ends, *ends):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert ends[0].getpeercert()


def known(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509"]


def bio(context: ssl.SSLContext) -> object:
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")


def socket(context: ssl.SSLContext) -> object:
    from socket import socketpair

    one, other = socketpair()
    with one, other:
        wrapped = context.wrap_socket(one, server_hostname="localhost", do_handshake_on_connect=False)
        wrapped.close()
        return wrapped


@pytest.mark.parametrize("wrap", [bio, socket])
def test_they_are_read_before_the_first_handshake(
    authority: trustme.CA, wrap: Callable[[ssl.SSLContext], object]
) -> None:
    context = deferred()
    assert (type(context), known(context)) == (Deferred, 0)
    assert isinstance(wrap(context), ssl.SSLObject | ssl.SSLSocket)
    assert (type(context), known(context)) == (ssl.SSLContext, 1)
    wrap(context)
    assert known(context) == 1


def test_a_server_of_theirs_is_believed_and_no_other(authority: trustme.CA) -> None:
    shake_hands(deferred(), authority)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(deferred(), trustme.CA())


def test_contexts_that_are_made_otherwise_read_them_at_once(authority: trustme.CA) -> None:
    with pytest.raises(ZeroDivisionError), deferring():
        raise ZeroDivisionError
    context = ssl.create_default_context()
    assert (type(context), known(context)) == (ssl.SSLContext, 1)


def test_whoever_will_need_them_reads_them_early(authority: trustme.CA) -> None:
    context, lax = deferred(), deferred()
    lax.check_hostname = False
    lax.verify_mode = ssl.CERT_NONE
    read_authorities()
    assert (type(context), known(context)) == (ssl.SSLContext, 1)
    assert (type(lax), known(lax)) == (Deferred, 0)
