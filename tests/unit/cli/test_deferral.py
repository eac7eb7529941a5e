"""Whoever imports aiohttp first, and from wherever, leaves the authorities unread: in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from proxy.cli.deferral import defer_authorities

STATE = """
def state():
    import ssl, sys
    from aiohttp import connector
    contexts = connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED
    print(*(type(one).__name__ for one in contexts), *(one.cert_store_stats()["x509"] for one in contexts))
    return contexts
"""
FIRST_USE = """
from proxy.cli.deferral import defer_authorities
defer_authorities()
contexts = state()
contexts[0].wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
print(*(type(one).__name__ for one in contexts), contexts[0].cert_store_stats()["x509"], contexts[0].verify_mode.name)
"""
# A worker that is started by hand, without the descriptors that it is to have: everything is imported by then.
WORKER = """
from proxy.cli import worker
try:
    worker.main()
except ValueError:
    state()
"""
TWICE = """
import sys
from proxy.cli.deferral import defer_authorities
before = len(sys.meta_path)
defer_authorities()
defer_authorities()
print(len(sys.meta_path) - before, "aiohttp" in sys.modules, "ssl" in sys.modules)
import aiohttp, ssl
print(len(sys.meta_path) - before, vars(aiohttp.__loader__).keys() & {"exec_module"})
print(ssl.create_default_context().cert_store_stats()["x509"])
"""


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only one that the system knows."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))


def said_by(script: str) -> list[str]:
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("first", ["import ssl", "import proxy.server.sample, ssl", "import proxy.frontend.line, ssl"])
def test_aiohttp_makes_its_contexts_while_it_is_imported(first: str) -> None:
    """Where this fails, another aiohttp makes them elsewhere: they read authorities then, which costs time only."""
    use = FIRST_USE.replace("contexts = ", f"{first}\ncontexts = ", 1)
    assert said_by(STATE + use) == ["Deferred Deferred 0 0", "SSLContext Deferred 1 CERT_REQUIRED"]


@pytest.mark.usefixtures("authority")
def test_a_worker_leaves_them_unread() -> None:
    assert said_by(STATE + WORKER) == ["Deferred Deferred 0 0"]


@pytest.mark.usefixtures("authority")
def test_it_is_gone_once_aiohttp_is_there() -> None:
    """And nothing of it is there before: neither aiohttp nor what TLS needs."""
    assert said_by(TWICE) == ["1 False False", "0 set()", "1"]


def test_where_aiohttp_is_imported_already_nothing_changes() -> None:
    import aiohttp

    before = sys.meta_path.copy()
    defer_authorities()
    assert (sys.modules["aiohttp"], sys.meta_path) == (aiohttp, before)
