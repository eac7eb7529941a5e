"""Certificates of listeners: what is wrong with their files is told at the place that names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings import SettingsError
from tests.unit.build.conftest import Make
from tests.unit.frontend.pki import Pki

TEXT = """
listen:
  - http://127.0.0.1:0
  - url: https://127.0.0.1:0
    tls: {tls}
routes: [{{name: a, plugins: {{respond: {{body: a}}}}}}]
"""


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


async def test_certificates_are_made_for_those_who_have_them(make: Make, pki: Pki) -> None:
    pki.write("a", "a.example")
    built = make(TEXT.format(tls="{certificate: a.pem, key: a.key}"))
    assert list(built.certificates) == [built.loaded.settings.listen[1].tls]
    assert built.warnings == ()


@pytest.mark.parametrize(
    ("tls", "place"),
    [
        ("{certificate: no.pem, key: a.key}", "listen[1].tls.certificate"),
        ("{certificate: a.pem, key: no.pem}", "listen[1].tls.key"),
        ("{certificate: a.pem, key: a.key, client_ca: no.pem}", "listen[1].tls.client_ca"),
        ("{certificates: [{certificate: no.pem, key: a.key}]}", "listen[1].tls.certificates[0].certificate"),
        (
            "{certificate: a.pem, key: a.key, certificates: [{certificate: a.pem, key: no.pem}]}",
            "listen[1].tls.certificates[0].key",
        ),
    ],
)
async def test_the_place_is_told(make: Make, pki: Pki, tls: str, place: str) -> None:
    pki.write("a", "a.example")
    with pytest.raises(SettingsError) as found:
        make(TEXT.format(tls=tls))
    (problem,) = found.value.problems
    line = problem.render()
    assert f": {place}: there is no file {pki.folder}/no.pem; write where the PEM file is" in line
    assert "p.yaml:5:" in line


async def test_an_expired_certificate_is_a_warning(make: Make, pki: Pki) -> None:
    from datetime import UTC, datetime

    pki.write("a", "a.example", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    built = make(TEXT.format(tls="{certificate: a.pem, key: a.key}"))
    (warning,) = built.warnings
    said = f"the certificate in {pki.folder}/a.pem has expired on 2020-01-01 00:00:00 UTC; renew it"
    assert said in warning.render()


async def test_both_forms_name_the_right_place_of_a_warning(make: Make, pki: Pki) -> None:
    pki.write("a", "a.example")
    pki.write("b", "x@b.example")
    more = "certificates: [{certificate: a.pem, key: a.key}, {certificate: b.pem, key: b.key}]"
    for tls, place in ((f"{{{more}}}", 1), (f"{{certificate: a.pem, key: a.key, {more}}}", 1)):
        (warning,) = make(TEXT.format(tls=tls)).warnings
        assert f"listen[1].tls.certificates[{place}].certificate: " in warning.render()
