"""The corpus: cases as data, each with its reason.

A file holds `defaults` and `cases`. Bytes are written as a string, or a list of strings and repetitions
(`{repeat: a, times: 9000}`), with the escapes of YAML's double quotes, read as latin-1. A case with `times` is sent
that often on one connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).parent / "corpus"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where there is one: the corpus is read for every worker


@dataclass(frozen=True)
class Arrived:
    """A request that the origin must have got.

    :ivar line: method and target.
    :ivar has: fields `Name: value` that it must carry, with that case.
    :ivar lacks: names that it must not carry, in its head or its trailers.
    :ivar trailers: trailer fields that it must carry, all of them.
    """

    line: str
    body: str = ""
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    trailers: tuple[str, ...] = ()


@dataclass(frozen=True)
class RequestCase:
    """Bytes of a client, and what becomes of them.

    :ivar expect: statuses of the answers, in order; a tuple of several where the specification leaves the choice.
    :ivar methods: of the requests that are answered; GET unless told, since only HEAD makes a difference.
    :ivar closed: whether the gateway must close; else it must serve one request more on the connection.
    :ivar origin: what arrives: requests, or `unfinished`: no whole request.
    """

    id: str
    reason: str
    send: bytes
    expect: tuple[tuple[int, ...], ...]
    closed: bool
    origin: tuple[Arrived, ...] | str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResponseCase:
    """Bytes of an upstream, and what the client gets.

    :ivar request: what the client sends; `TARGET` stands for the target that leads to the case.
    :ivar method: of that request.
    :ivar upstream: the answer, in pieces; `wait` between two: until the client has the head.
    :ivar after: what the upstream does then: `keep`, `close` or `reset`.
    :ivar late: bytes that it sends when the client has its answer.
    :ivar expect: statuses allowed.
    :ivar any_interim: whether any number of interim answers may come before.
    :ivar cut: whether the client's answer must end before it is whole.
    :ivar in_body: the fault is in the body: where it is seen too late for a 502, the answer must be cut.
    :ivar reused: whether the connection must serve the next request; False: it must be closed; None: either.
    """

    id: str
    reason: str
    upstream: tuple[bytes | None, ...]
    request: bytes
    method: str = "GET"
    after: str = "keep"
    late: bytes = b""
    expect: tuple[int, ...] = (200,)
    body: bytes | None = None
    cut: bool = False
    interim: tuple[int, ...] = ()
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    trailers: tuple[str, ...] | None = None
    reused: bool | None = None
    in_body: bool = False
    any_interim: bool = False


def raw(written: Any) -> bytes:
    """Bytes from their written form."""
    if isinstance(written, str):
        return written.encode("latin-1")
    if isinstance(written, dict):
        return raw(written["repeat"]) * int(written["times"])
    return b"".join([raw(part) for part in written])


@cache
def requests() -> list[RequestCase]:
    """Every case of a client's bytes."""
    return [
        _request(case) for name in sorted(CORPUS.glob("*.yaml")) if name.stem != "responses" for case in _load(name)
    ]


@cache
def responses() -> list[ResponseCase]:
    """Every case of an upstream's bytes."""
    return [_response(case) for case in _load(CORPUS / "responses.yaml")]


def _load(path: Path) -> list[dict[str, Any]]:
    document = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    return [{**document["defaults"], **case} for case in document["cases"]]


def _request(case: dict[str, Any]) -> RequestCase:
    times = case.get("times", 1)
    expect = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    origin = case["origin"]
    return RequestCase(
        id=case["id"],
        reason=case["reason"],
        send=raw(case["send"]) * times,
        expect=tuple(_statuses(status) for status in expect) * times,
        closed=case["closed"],
        origin=origin if isinstance(origin, str) else tuple(_arrived(entry) for entry in origin) * times,
        methods=tuple(case.get("methods", ())),
    )


def _statuses(written: Any) -> tuple[int, ...]:
    """`400`, or `400 or 505`."""
    return tuple(int(status) for status in str(written).split(" or "))


def _arrived(entry: Any) -> Arrived:
    if isinstance(entry, str):
        return Arrived(entry)
    lists = {key: tuple(entry.get(key, ())) for key in ("has", "lacks", "trailers")}
    return Arrived(entry["line"], entry.get("body", ""), **lists)


def _response(case: dict[str, Any]) -> ResponseCase:
    pieces = case["upstream"] if isinstance(case["upstream"], list) else [case["upstream"]]
    trailers = case.get("trailers")
    return ResponseCase(
        id=case["id"],
        reason=case["reason"],
        upstream=tuple(None if piece == "wait" else raw(piece) for piece in pieces),
        request=raw(case["request"]),
        method=case.get("method", "GET"),
        after=case.get("after", "keep"),
        late=raw(case.get("late", "")),
        expect=_statuses(case.get("expect", 200)),
        body=raw(case["body"]) if "body" in case else None,
        cut=case.get("cut", False),
        interim=tuple(case.get("interim", ())),
        has=tuple(case.get("has", ())),
        lacks=tuple(case.get("lacks", ())),
        trailers=None if trailers is None else tuple(trailers),
        reused=case.get("reused"),
        in_body=case.get("in_body", False),
        any_interim=case.get("any_interim", False),
    )
