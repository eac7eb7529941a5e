"""Large bodies pass through whole, both ways and in both framings, and the gateway holds next to nothing of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import peers
from tests.e2e.origin_app import content_hash
from tests.e2e.peers import MIB, Client, Gateway, Origin

GROWTH = 32 * MIB  # what the process may rise by

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with peers.origin() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with peers.gateway(origin, tmp_path_factory.mktemp("gateway")) as running:
        yield running


class Watch:
    """How much the gateway's memory rises by while something is done."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        gateway.forget_peak()
        self._before = gateway.memory()

    def check(self, what: str) -> None:
        risen = self._gateway.peak() - self._before
        print(f"{what}: {self._before / MIB:.1f} MiB before, risen by {risen / MIB:.1f} MiB at most")
        assert risen < GROWTH


@pytest.mark.parametrize(("size", "framing"), [(1024 * MIB, ""), (128 * MIB, "&chunked=1")], ids=["length", "chunked"])
def test_download(size: int, framing: str, gateway: Gateway) -> None:
    watch = Watch(gateway)
    with Client(gateway.port) as client:
        client.ask("GET", f"/bytes?size={size}{framing}")
        assert client.head() == 200
        took = client.chunked_hash() if framing else client.length_hash()
    assert took == (size, content_hash(size))
    watch.check(f"{size // MIB} MiB down, {framing or 'with a length'}")


@pytest.mark.parametrize(("size", "chunked"), [(1024 * MIB, False), (128 * MIB, True)], ids=["length", "chunked"])
def test_upload(size: int, chunked: bool, gateway: Gateway) -> None:
    watch = Watch(gateway)
    with Client(gateway.port) as client:
        client.ask("POST", "/sink", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}")
        client.upload(size, chunked=chunked)
        assert client.head() == 200
        assert client.small() == {"size": size, "sha256": content_hash(size)}
    watch.check(f"{size // MIB} MiB up, {'chunked' if chunked else 'with a length'}")
