"""Binding, and what is said when it fails."""

from __future__ import annotations

import pytest

from proxy.server.sockets import CannotBind, bind, url_of


def test_a_port_is_chosen_and_told() -> None:
    (sock,) = bind("127.0.0.1", 0)
    with sock:
        assert url_of("127.0.0.1", sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_an_ipv6_address_stands_in_brackets() -> None:
    (sock,) = bind("::1", 0)
    with sock:
        assert url_of("::1", sock, "https") == f"https://[::1]:{sock.getsockname()[1]}"


def test_a_taken_port_is_told() -> None:
    (sock,) = bind("127.0.0.1", 0)
    with sock:
        sock.listen()
        port = sock.getsockname()[1]
        with pytest.raises(CannotBind, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with pytest.raises(CannotBind, match=f"cannot listen on {host}:0"):
        bind(host, 0)
