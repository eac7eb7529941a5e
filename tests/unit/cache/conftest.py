"""A Redis server for the tests of a module, empty for each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.unit.cache.nodes import Node, Server, nodes, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("redis"))


@pytest.fixture
async def empty(server: Server) -> Server:
    async with server.client() as client:
        await client.flushall()
    return server


@pytest.fixture
async def node(empty: Server) -> AsyncIterator[Node]:
    async with nodes(empty.url) as (made,):
        yield made


@pytest.fixture
async def pair(empty: Server) -> AsyncIterator[list[Node]]:
    async with nodes(empty.url, 2) as made:
        yield made
