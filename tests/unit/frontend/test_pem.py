"""Each way in which certificate files are wrong is told in words, with what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.frontend.pem import BadFile, Pair, check_authorities, check_pair
from proxy.frontend.tls import Certificates, Options
from proxy.metrics import Metrics
from tests.unit.frontend.pki import Pki


def encrypt(path: Path) -> None:
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))


def of_another(path: Path) -> None:
    trustme.CA().issue_cert("b.example").private_key_pem.write_to_path(path)


def halved(path: Path) -> None:
    text = path.read_text()
    path.write_text(text[: len(text) // 2])


def empty_blocks(path: Path) -> None:
    path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def made_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("option", "file", "spoil", "message", "remedy"),
    [
        ("certificate", "a.pem", os.unlink, "there is no file", "write where"),
        ("key", "a.key", os.unlink, "there is no file", "write where"),
        ("client_ca", "ca.pem", os.unlink, "there is no file", "write where"),
        ("certificate", "a.pem", made_directory, "cannot be read: Is a directory", "write where"),
        ("certificate", "a.pem", of_another, "there is no certificate in", "certificate first"),
        ("certificate", "a.pem", halved, "there is no certificate in", "certificate first"),
        ("certificate", "a.pem", empty_blocks, "there is no certificate in", "certificate first"),
        ("key", "a.key", empty_blocks, "there is no private key in", "BEGIN PRIVATE KEY"),
        ("key", "a.key", encrypt, "is encrypted", "openssl pkey -in"),
        ("key", "a.key", of_another, "is not that of the certificate", "issued together"),
        ("client_ca", "ca.pem", of_another, "there is no certificate in", "authorities"),
        ("client_ca", "ca.pem", empty_blocks, "cannot be used", "authorities"),
    ],
)
def test_what_is_wrong_is_told(
    pki: Pki, option: str, file: str, spoil: Callable[[Path], None], message: str, remedy: str
) -> None:
    pki.write("a", "a.example")
    path = pki.folder / file
    spoil(path)
    pair = Pair(pki.folder / "a.pem", pki.folder / "a.key", 3)
    with pytest.raises(BadFile, match=message) as found:
        Certificates(Options([pair], client_ca=pki.ca), Metrics())
    assert str(path) in str(found.value)
    assert (found.value.option, found.value.index) == (option, 0 if option == "client_ca" else 3)
    assert remedy in found.value.remedy


def test_a_file_that_may_not_be_read(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refused)  # the tests may be run by root, who may read everything
    with pytest.raises(BadFile, match="may not be read"):
        check_authorities(pki.ca)


def test_what_openssl_alone_refuses_is_named(pki: Pki) -> None:
    pair = Pair(Path("c.pem"), Path("k.pem"))
    error = OSError("?")
    error.reason = "EE_KEY_TOO_SMALL"  # type: ignore[attr-defined]  # as ssl.SSLError has it
    assert "too weak" in str(pair.refused(error))
    assert "cannot be used (PEM lib)" in str(pair.refused(ValueError("PEM lib")))


def test_a_chain_and_its_key_may_stand_in_one_file(pki: Pki) -> None:
    pki.write("a", "a.example")
    both = pki.folder / "both.pem"
    both.write_text((pki.folder / "a.key").read_text() + (pki.folder / "a.pem").read_text())
    assert check_pair(Pair(both, both)).names == ("a.example",)
    assert Certificates(Options([Pair(both, both)]), Metrics()).doubts() == []


def test_times_and_names_may_be_doubtful(pki: Pki) -> None:
    for stem, names in (("a", ["a.example"]), ("b", ["x@b.example"])):
        pki.write(stem, *names)
    pairs = [Pair(pki.folder / f"{stem}.pem", pki.folder / f"{stem}.key", at) for at, stem in enumerate("ab")]
    now = 1_700_000_000.0
    assert Certificates(Options(pairs[:1]), Metrics(), now=lambda: now).doubts() == []
    assert Certificates(Options(pairs[1:]), Metrics(), now=lambda: now).doubts() == []
    ((index, nameless),) = Certificates(Options(pairs), Metrics(), now=lambda: now).doubts()
    assert (index, nameless[:13]) == (1, "names no host")
    ((_, early),) = Certificates(Options(pairs[:1]), Metrics(), now=lambda: 0.0).doubts()
    assert early == "is not valid before 2000-01-01 00:00:00 UTC"
    ((_, late),) = Certificates(Options(pairs[:1]), Metrics(), now=lambda: 1e11).doubts()
    assert late.startswith("has expired on 3000-01-01")
