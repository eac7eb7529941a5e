"""Listeners: what of TLS and PROXY belongs together, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proxy.settings.document import Document
from proxy.settings.listener_models import Listener
from proxy.settings.load import absolute_paths

PAIR = {"certificate": "a.pem", "key": "b.pem"}


def listener(url: str = "https://0.0.0.0:8443", **keys: Any) -> Listener:
    return Listener.model_validate({"url": url, **keys})


def test_listeners_know_their_parts() -> None:
    one = listener("https://[::1]", tls=PAIR)
    assert (one.scheme, one.host, one.port) == ("https", "::1", 443)
    plain = Listener.model_validate("http://127.0.0.1:0")
    assert (plain.scheme, plain.port, plain.tls, plain.proxy_protocol) == ("http", 0, None, None)


def test_the_short_form_is_the_first_of_the_certificates() -> None:
    tls = listener(tls={**PAIR, "certificates": {"certificate": "c.pem", "key": "d.pem"}}).tls
    assert tls is not None
    assert [(str(pair.certificate), str(pair.key)) for pair in tls.pairs] == [("a.pem", "b.pem"), ("c.pem", "d.pem")]
    assert (tls.client_ca, tls.client_auth, tls.minimum_version) == (None, "required", "1.2")


def test_a_list_may_stand_alone() -> None:
    tls = listener(tls={"certificates": [PAIR, PAIR], "minimum_version": 1.3}).tls
    assert tls is not None
    assert (len(tls.pairs), tls.minimum_version) == (2, "1.3")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "has no certificate"),
        ({"tls": {}}, "there is no certificate"),
        ({"tls": {"certificate": "a.pem"}}, "belong together"),
        ({"tls": {"key": "a.pem", "certificates": [PAIR]}}, "belong together"),
        ({"tls": {**PAIR, "client_auth": "optional"}}, "client_auth needs to know"),
        ({"tls": {**PAIR, "minimum_version": "1.1"}}, "1.2"),
        ({"url": "http://127.0.0.1:1", "tls": PAIR}, "speaks no TLS"),
        ({"tls": PAIR, "proxy_protocol": {}}, "from"),
        ({"tls": PAIR, "proxy_protocol": {"from": []}}, "must not be empty"),
        ({"tls": PAIR, "proxy_protocol": {"from": "10.0.0.1/8"}}, "is not an address range"),
    ],
)
def test_what_contradicts_itself_is_refused(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        listener(**keys)


def test_files_are_taken_from_where_the_configuration_is() -> None:
    tls = {**PAIR, "client_ca": "/ca.pem", "certificates": [PAIR, 5]}
    base = Path(Document().base(("listen",)))
    here = {"certificate": str(base / "a.pem"), "key": str(base / "b.pem")}
    made = {**here, "client_ca": "/ca.pem", "certificates": [here, 5]}
    for written in ({"tls": tls}, [{"tls": tls}]):
        expected = {"tls": made} if isinstance(written, dict) else [{"tls": made}]
        assert absolute_paths({"listen": written}, Document())["listen"] == expected
    single = absolute_paths({"listen": {"tls": {"certificates": PAIR}}}, Document())["listen"]
    assert single == {"tls": {"certificates": here}}
