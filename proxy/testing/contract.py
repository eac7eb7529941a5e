"""What every plugin must withstand, whatever it is for.

The cases are those that a plugin's own tests seldom hold: answers without a body, bodies that flow, clients that leave,
errors. What is checked is what the engine relies on, not what the plugin is meant to do.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from proxy.errors import ConnectFailed, UpstreamReset
from proxy.events import PluginError
from proxy.exchange import Exchange, Key
from proxy.message import Body, Request, Response
from proxy.plugin import Plugin, PluginConfig, config_of
from proxy.stream import HIGH_WATER
from proxy.testing.ends import Answer, Leaves
from proxy.testing.memory import PEER, Bench, bench

_TURNS = 20  # of the loop, in which a plugin could change what is over
_END: Key[tuple[object, ...]] = Key("testing.end")

Fingerprint: TypeAlias = tuple[object, ...]


class ContractBroken(AssertionError):
    """A plugin does what the engine cannot live with.

    :ivar findings: one sentence each.
    """

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


@dataclass(frozen=True)
class _Case:
    name: str
    request: Callable[[], Request]
    answer: Callable[[], Answer]
    leaves: Leaves = ""


async def _pieces() -> AsyncIterator[bytes]:
    for part in (b"one ", b"two ", *[b"x" * HIGH_WATER] * 3):  # more than is held for who does not read
        await asyncio.sleep(0)
        yield part


async def _breaks() -> AsyncIterator[bytes]:
    yield b"one "
    await asyncio.sleep(0)
    raise UpstreamReset("the upstream closed the connection")


def _asks(method: str, body: Callable[[], Body] = Body) -> Callable[[], Request]:
    return lambda: Request(method, "/path?query=1", host="test", body=body())


def _gives(status: int, body: Callable[[], Body] = Body) -> Callable[[], Answer]:
    return lambda: Response(status, {"content-type": "text/plain"}, body())


def _small() -> Body:
    return Body(b"small")


def _flowing() -> Body:
    return Body.of(_pieces())


def _breaking() -> Body:
    return Body.of(_breaks())


_CASES = (
    _Case("GET", _asks("GET"), _gives(200, _small)),
    _Case("HEAD", _asks("HEAD"), _gives(200)),
    _Case("OPTIONS *", lambda: Request("OPTIONS", "*", host="test"), _gives(204)),
    _Case("a request without Host", lambda: Request("GET", "/", version="1.0"), _gives(200, _small)),
    _Case("204", _asks("DELETE"), _gives(204)),
    _Case("304", _asks("GET"), _gives(304)),
    _Case("an answer that flows", _asks("GET"), _gives(200, _flowing)),
    _Case("an answer that breaks off", _asks("GET"), _gives(200, _breaking)),
    _Case("an upload", _asks("POST", _small), _gives(201, _small)),
    _Case("an upload that flows", _asks("POST", _flowing), _gives(201, _small)),
    _Case("an upstream that answers 500", _asks("GET"), _gives(500, _small)),
    _Case("an upstream that cannot be reached", _asks("GET"), lambda: ConnectFailed("refused")),
    _Case("a client that leaves before the answer", _asks("GET"), _gives(200, _small), "before"),
    _Case("a client that leaves in the answer", _asks("GET"), _gives(200, _flowing), "during"),
)


async def check_plugin(plugin: type[Plugin[Any]], config: PluginConfig | Mapping[str, Any] | None = None) -> None:
    """Send a plugin what it may meet, and look at what it does.

    - No hook raises, and none leaves an exchange without an end.
    - `on_complete` does not wait.
    - The upstream's answer is read to its end or closed, also when the plugin puts another in its place.
    - Request and answer are not changed once the exchange is complete.
    - `describe` gives one line, and changes nothing.
    - `for_route` gives an instance that works as well.

    :param config: the options, as an instance or as they would be written; None for none.
    :raises ContractBroken: with everything that was found.
    :raises pydantic.ValidationError: when the options are not valid.
    """
    options = config if isinstance(config, PluginConfig) else config_of(plugin).model_validate(dict(config or {}))
    findings = []
    if inspect.iscoroutinefunction(plugin.on_complete):
        findings.append("on_complete is asynchronous: nobody would await it")
    else:
        for case in _CASES:
            findings += [f"{case.name}: {finding}" for finding in await _try(plugin(options), case)]
        twin = plugin(options).for_route(options)
        findings += [f"on a route of its own: {finding}" for finding in await _try(twin, _CASES[0])]
    if findings:
        raise ContractBroken(findings)


async def _try(plugin: Plugin[Any], case: _Case) -> list[str]:
    """One case, with the plugin started for it."""
    witness = _Witness(PluginConfig())
    async with bench(witness, plugin) as made:
        made.upstream.answer = lambda _: case.answer()
        findings = _describe(made, plugin, case)
        try:
            done = await made.send(case.request(), leaves=case.leaves)
        except TimeoutError:
            return [*findings, "the exchange does not end"]
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        findings += [f"raises {event.error}" for event in done.events if isinstance(event, PluginError)]
        if done.exchange.get(_END) != _fingerprint(done.exchange):
            findings.append("changes the request or the answer after on_complete")
        return findings


def _describe(made: Bench, plugin: Plugin[Any], case: _Case) -> list[str]:
    exchange = Exchange("0" * 32, case.request(), PEER, _NOBODY, made.clock.monotonic())
    before = _fingerprint(exchange)
    try:
        told: object = plugin.describe(exchange)
    except Exception as error:  # whatever it raises is the finding
        return [f"describe raises {type(error).__name__}: {error}"]
    findings = []
    if not isinstance(told, str) or "\n" in told:
        findings.append(f"describe gives {told!r}, which is not one line")
    if _fingerprint(exchange) != before:
        findings.append("describe changes the request")
    return findings


class _NoClient:
    """The client of an exchange that is only described."""

    def informed(self, exchange: Exchange, response: Response) -> None:
        raise RuntimeError("describe must not begin the exchange")

    def deliver(self, exchange: Exchange) -> None:
        raise RuntimeError("describe must not begin the exchange")


_NOBODY = _NoClient()


class _Witness(Plugin[PluginConfig]):
    """Stands outside the plugin and notes how things were when the exchange ended."""

    def on_complete(self, exchange: Exchange) -> None:
        exchange[_END] = _fingerprint(exchange)


def _fingerprint(exchange: Exchange) -> Fingerprint:
    """What must not change any more."""
    request, response = exchange.request, exchange.response
    asked = (request.method, request.target, tuple(request.headers.items()), id(request.body))
    if response is None:
        return asked
    return (*asked, id(response), response.status, tuple(response.headers.items()), id(response.body))
