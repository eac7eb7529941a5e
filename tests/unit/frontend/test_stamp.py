"""Request ids, and traces: passed on, begun, or left alone (W3C Trace Context)."""

from __future__ import annotations

import random
import re

import pytest

from proxy.chain import Chain
from proxy.clock import ManualClock
from proxy.engine import Engine
from proxy.events import EventBus
from proxy.metrics import Metrics
from proxy.plan import Plan, Snapshot
from proxy.routing import Router
from tests.unit.frontend.stage import Stage, fetch, get, staged
from tests.wire.strict import Message

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{SPAN}-01"
BEGUN = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00")

MALFORMED = {
    "empty": [""],
    "short": [VALID[:-1]],
    "long-00": [VALID + "-01"],
    "upper": [VALID.upper()],
    "version-ff": ["ff" + VALID[2:]],
    "no-hex": [VALID.replace("4bf", "xyz")],
    "zero-trace": [f"00-{'0' * 32}-{SPAN}-01"],
    "zero-span": [f"00-{TRACE}-{'0' * 16}-01"],
    "glued": [f"01-{TRACE}-{SPAN}-01x"],
    "twice": [VALID, VALID],
    "list": [f"{VALID}, {VALID}"],
}


async def sent(stage: Stage, *fields: str) -> Message:
    """What the upstream gets of a request with these fields."""
    await fetch(stage, get("/", *fields))
    return stage.origin.record.requests[-1]


@pytest.mark.parametrize(
    "value", [VALID, f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-03", f"01-{TRACE}-{SPAN}-01-more"]
)
async def test_a_valid_one_is_passed_on_with_its_state(value: str, stage: Stage) -> None:
    arrived = await sent(
        stage, f"TraceParent: {value}", "tracestate: a=1", "Connection: traceparent", "tracestate: b=2"
    )
    assert [field for field in arrived.fields if field[0].lower().startswith("trace")] == [
        ("TraceParent", value),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
    ]


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_one_is_replaced_and_its_state_dropped(values: list[str], stage: Stage) -> None:
    arrived = await sent(stage, *[f"traceparent: {value}" for value in values], "tracestate: a=1")
    (begun,) = arrived.values("traceparent")
    assert BEGUN.fullmatch(begun) is not None
    assert TRACE not in begun
    assert arrived.values("tracestate") == []


async def test_without_one_a_trace_is_begun_for_each_request(stage: Stage) -> None:
    begun = [(await sent(stage, "tracestate: a=1")).values("traceparent") for _ in range(3)]
    assert all(len(values) == 1 and BEGUN.fullmatch(values[0]) for values in begun)
    assert len({values[0] for values in begun}) == 3
    assert stage.origin.record.requests[-1].values("tracestate") == []


@pytest.mark.parametrize("fields", [(), ("traceparent: nonsense", "tracestate: a=1")])
async def test_switched_off_nothing_is_begun_and_nothing_is_looked_at(fields: tuple[str, ...]) -> None:
    async with staged(top="traceparent: false") as stage:
        arrived = await sent(stage, *fields)
        got = [f"{name}: {value}" for name, value in arrived.fields if name.startswith("trace")]
        assert got == list(fields)


def test_traces_are_made_of_the_randomness_that_is_handed_in() -> None:
    def traces(seed: int) -> list[str]:
        snapshot = Snapshot(Router([]), Plan("", Chain([]), None), {}, [], "r")
        clock = ManualClock()
        spawn = None
        engine = Engine(
            snapshot,
            events=EventBus(clock),
            clock=clock,
            metrics=Metrics(),
            spawn=spawn,  # type: ignore[arg-type]  # nothing waits here
            randomness=random.Random(seed),
        )
        return [engine.new_trace().decode() for _ in range(600)]

    made = traces(1)
    assert made == traces(1) != traces(2)
    assert len(set(made)) == 600
    assert all(map(BEGUN.fullmatch, made))


@pytest.mark.parametrize(
    "request_bytes", [get("/", "X-Forwarded-For: 192.0.2.1"), b"GET / HTTP/1.0\r\n\r\n"], ids=["trusted", "hostless"]
)
async def test_the_upstream_gets_id_and_trace_whoever_asks(request_bytes: bytes) -> None:
    async with staged(top='trusted_proxies: ["127.0.0.0/8"]') as stage:
        reply = await fetch(stage, request_bytes)
        message = stage.origin.record.requests[-1]
    assert message.values("x-request-id") == reply.values("x-request-id") != []
    assert [BEGUN.fullmatch(trace) is not None for trace in message.values("traceparent")] == [True]
