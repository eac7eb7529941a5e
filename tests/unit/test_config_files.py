"""The files that operators start from: each loads without a warning, and routes as its own tests say.

What plugins do to an exchange is shown where the plugins are; here it is the files that are tried.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from proxy.cli.check import check
from proxy.headers import Headers
from proxy.message import Request
from proxy.routing import Match, Rewrite, Route, Router
from proxy.settings import Limits, Loaded, SelfTest, Settings, Timeouts, load, load_text
from proxy.settings import Route as WrittenRoute

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLES = sorted((CONFIG / "examples").glob("*.yaml"))
FILES = [CONFIG / "passerelle.yaml", CONFIG / "demo.yaml", *EXAMPLES]
CASES = [(file, test) for file in FILES for test in load(file, {}).settings.tests]


def routed(written: WrittenRoute) -> Route[WrittenRoute]:
    said = written.match
    match = Match(said.host, said.path, frozenset(said.methods), tuple(said.headers.items()))
    edit = written.path
    rewrite = None if edit.is_empty else Rewrite(said.path, strip=edit.strip or "", template=edit.rewrite or "")
    allow = frozenset(written.allow)
    return Route(written.name, match, written, priority=written.priority, rewrite=rewrite, allow=allow)


def router(settings: Settings) -> Router[WrittenRoute]:
    return Router([routed(route) for route in settings.routes])


def request(test: SelfTest) -> Request:
    url = urlsplit(test.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = Headers(list(test.headers.items()))
    return Request(test.method, target, scheme=url.scheme, host=url.netloc, headers=headers)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_sound_and_tests_itself(file: Path) -> None:
    loaded = load(file, {})
    assert [problem.render() for problem in loaded.warnings] == []
    assert loaded.settings.tests
    assert router(loaded.settings).ties() == []


@pytest.mark.parametrize(
    ("file", "test"), CASES, ids=lambda value: getattr(value, "name", getattr(value, "request", ""))
)
def test_each_request_takes_the_route_that_the_file_expects(file: Path, test: SelfTest) -> None:
    sent, expect = request(test), test.expect
    route = router(load(file, {}).settings).find(sent)
    if expect.status == 404:
        assert route is None
        return
    assert route is not None
    assert expect.route in (None, route.name)
    assert expect.upstream in (None, route.payload.upstream)
    assert expect.target in (None, route.rewritten(sent.target))


def test_the_example_of_tls_is_sound_with_certificates(tmp_path: Path) -> None:
    (tmp_path / "certificates").mkdir()
    shutil.copy(CONFIG / "examples" / "tls.yaml", tmp_path)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "certificates" / "authority.pem")
    for name in ("shop", "api"):
        made = authority.issue_cert(f"{name}.example.com")
        made.cert_chain_pems[0].write_to_path(tmp_path / "certificates" / f"{name}.pem")
        made.private_key_pem.write_to_path(tmp_path / "certificates" / f"{name}.key")
    loaded, problems = check(tmp_path / "tls.yaml")
    assert loaded is not None
    assert [problem.render() for problem in problems] == []


@pytest.mark.parametrize("file", [*FILES, *sorted((CONFIG / "examples" / "includes").glob("*.yaml"))])
def test_each_file_tells_editors_where_its_schema_is(file: Path) -> None:
    modeline = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())
    assert modeline is not None
    assert (file.parent / modeline[1]).resolve() == CONFIG / "schema.json"


def uncommented(pattern: str) -> Loaded:
    """The default file with the commented lines that begin so made part of it."""
    text = (CONFIG / "passerelle.yaml").read_text()
    text = re.sub(rf"^( *)# ((?:{pattern}).*)$", r"\1\2", text, flags=re.MULTILINE)
    return load_text(text, {}, CONFIG / "passerelle.yaml")


def test_what_the_default_file_shows_as_defaults_are_defaults() -> None:
    loaded = uncommented(r"limits:|timeouts:|  \w+: \d|drain:|balance:|eject:|pool:|retry:|host:")
    settings, default = loaded.settings, Settings()
    assert settings.model_fields_set >= {"limits", "timeouts", "drain"}
    assert settings.limits.model_fields_set == {"head", "fields", "target"}
    assert (settings.limits, settings.timeouts, settings.drain) == (Limits(), default.timeouts, default.drain)
    assert settings.admin == default.admin
    assert [entry.id for entry in settings.plugins] == [entry.id for entry in default.plugins]
    app = settings.upstreams["app"]
    assert app.model_fields_set == {"targets", "balance", "eject", "pool", "timeouts", "retry", "host"}
    assert app.model_copy(update={"host": None}) == type(app)(targets=app.targets)
    assert app.timeouts == Timeouts()


def test_what_the_default_file_shows_as_examples_is_valid() -> None:
    settings = uncommented(r"state:|trusted|- \w|- \./|- \{|  +\w+:(?! \d)").settings
    assert settings.state == CONFIG / "../.passerelle"
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8"]
    assert [entry.id for entry in settings.plugins] == [
        "request_id",
        "sanitize",
        "headers",
        "maintenance",
        "cache",
        "compress",
        "events",
    ]
    assert [route.name for route in settings.routes] == ["api", "gone", "moved", "everything"]
    assert settings.routes[0].match.methods == ("GET", "POST")
