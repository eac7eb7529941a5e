"""What is measured, as data: a new question is a new row here and nothing else.

A bar is a promise with a number. It belongs to the scenario that can break it, so that a report shows both together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Heads = Literal["identical", "varying"]
Serve = Literal["forward", "respond", "plugins", "plugins-thrice", "routes", "default-chain"]

SUBJECT = "passerelle"
BARE = "passerelle-bare"  # the subject as it is in `forward`, to compare it with itself
FLOOR = "parser-floor"
FORWARD_FLOOR = "forward-floor"
PLUGINS = 20
ROUTES = 1000
DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class RateBar:
    """The subject must reach `minimum` times the requests per second of the peer `against`."""

    against: str
    minimum: float


@dataclass(frozen=True, slots=True)
class AddedBar:
    """The subject may add at most `most_ms` milliseconds at `percentile` to what the origin takes by itself."""

    percentile: Literal["p50", "p99"]
    most_ms: float


Bar = RateBar | AddedBar


@dataclass(frozen=True, slots=True)
class Scenario:
    """One table of the report.

    `body` is the size of each request's body and `answer` that of each answer's, both in bytes; `seconds` is the length
    of one run; `rate`, when set, is a fixed number of requests per second sent whether or not answers keep up.
    `accept_encoding` goes with identical heads.
    """

    name: str
    title: str
    path: str
    answer: int
    peers: tuple[str, ...]
    bars: tuple[Bar, ...] = ()
    heads: Heads = "varying"
    serve: Serve = "forward"
    method: str = "GET"
    body: int = 0
    connections: int = 32
    seconds: int = 5
    rate: int | None = None
    accept_encoding: str = ""


SMALL_BODY = (
    b'{"id":4711,"name":"Footbridge","kind":"span","tags":["steel","walk","river","light"],'
    b'"owner":{"id":7,"name":"City of Bridges","mail":"bridges@example.com"},'
    b'"size":{"length":86.5,"width":3.2,"clearance":5.1,"unit":"m"},'
    b'"notes":"'
    + b"Planks replaced in spring; handrail painted in May. "
    * 5
    + b'","links":{"self":"/api/bridges/4711",'
    b'"next":"/api/bridges/4712"},"open":true}'
)
FIXED_BODY = b"A fixed answer: nobody behind was asked."
POSTED_BODY = b'{"stored":true}'
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_SERVERS = (SUBJECT, "nginx", "haproxy", "caddy")
_PROXIES = (*_SERVERS, "textbook-aiohttp")
_BUFFERING = "nginx-large-buffers"  # beside nginx as it comes, wherever answers are large

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="forward",
        title="Forward a 0.7 KB JSON answer; every request's head differs; 32 connections",
        path="/json",
        answer=len(SMALL_BODY),
        peers=(*_PROXIES, "textbook-starlette", FORWARD_FLOOR),
        bars=(
            RateBar("caddy", 1.5),
            RateBar("nginx", 0.4),
            RateBar("textbook-aiohttp", 4.0),
            RateBar("textbook-starlette", 30.0),
        ),
    ),
    Scenario(
        name="forward-identical",
        title="Forward a 0.7 KB JSON answer; every request's head is the same; 32 connections",
        path="/json",
        answer=len(SMALL_BODY),
        peers=_PROXIES,
        heads="identical",
    ),
    Scenario(
        name="forward-256",
        title="Forward a 0.7 KB JSON answer; every request's head differs; 256 connections",
        path="/json",
        answer=len(SMALL_BODY),
        peers=_PROXIES,
        connections=256,
    ),
    Scenario(
        name="respond",
        title="A fixed answer made by the proxy itself (nginx: `return 200`); 32 connections",
        path="/fixed",
        answer=len(FIXED_BODY),
        peers=(*_SERVERS, FLOOR),
        bars=(RateBar("nginx", 0.7),),
        serve="respond",
    ),
    Scenario(
        name="plugins",
        title=f"Forward as above through {PLUGINS} plugins with one hook each that does nothing",
        path="/json",
        answer=len(SMALL_BODY),
        peers=(SUBJECT, BARE),
        bars=(RateBar(BARE, 0.95),),
        serve="plugins",
    ),
    Scenario(
        name="plugins-thrice",
        title=f"Forward as above through {PLUGINS} plugins with three hooks each that do nothing",
        path="/json",
        answer=len(SMALL_BODY),
        peers=(SUBJECT, BARE),
        bars=(RateBar(BARE, 0.88),),
        serve="plugins-thrice",
    ),
    Scenario(
        name="routes",
        title=f"Forward as above by the last of {ROUTES:,} routes",
        path="/json",
        answer=len(SMALL_BODY),
        peers=(SUBJECT, BARE),
        bars=(RateBar(BARE, 0.9),),
        serve="routes",
    ),
    Scenario(
        name="default-chain",
        title="Forward as above through the chain that a configuration without `plugins` has",
        path="/json",
        answer=len(SMALL_BODY),
        peers=(SUBJECT, BARE),
        serve="default-chain",
    ),
    Scenario(
        name="post-4k",
        title="Forward a POST of 4 KiB; every request's head differs; 32 connections",
        path="/post",
        answer=len(POSTED_BODY),
        peers=_PROXIES,
        bars=(RateBar("caddy", 1.0),),
        method="POST",
        body=4 * KIB,
    ),
    Scenario(
        name="answer-64k",
        title="Forward an answer of 64 KiB; 32 connections",
        path="/64k",
        answer=64 * KIB,
        peers=(*_PROXIES, _BUFFERING),
        bars=(RateBar("nginx", 0.8), RateBar(_BUFFERING, 0.8)),
    ),
    Scenario(
        name="answer-10m",
        title="Forward an answer of 10 MiB; 8 connections",
        path="/10m",
        answer=10 * MIB,
        peers=(*_SERVERS, _BUFFERING),
        bars=(RateBar("nginx", 0.9), RateBar(_BUFFERING, 0.9)),
        connections=8,
    ),
    Scenario(
        name="answer-1g",
        title="Forward an answer of 1 GiB; 2 connections",
        path="/1g",
        answer=GIB,
        peers=(*_SERVERS, _BUFFERING),
        bars=(RateBar("nginx", 0.9), RateBar(_BUFFERING, 0.9)),
        heads="identical",
        connections=2,
        seconds=10,
    ),
    Scenario(
        name="latency-1000",
        title="Latency added to a 0.7 KB JSON answer at 1,000 requests a second, sent on time whatever comes back",
        path="/json",
        answer=len(SMALL_BODY),
        peers=(DIRECT, *_PROXIES),
        bars=(AddedBar("p50", 0.25), AddedBar("p99", 1.5)),
        rate=1000,
    ),
)
