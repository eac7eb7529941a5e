"""Probes: what they ask, what they find out, and that nothing keeps them from going on."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from proxy.errors import ConnectRefused, GatewayError
from proxy.exchange import Endpoint, Exchange
from proxy.message import Response
from proxy.upstream.health import Check, Checker
from proxy.upstream.targets import Targets
from tests.unit.frontend.stage import Holding, Stage, fetch, get, plays, staged, until
from tests.unit.upstream.crew import Crew, endpoint, succeed
from tests.wire.client import Client

Answer = Callable[[Exchange], None]


class Probes:
    """A checker whose probes the test answers.

    :ivar sent: when, and to which port.
    """

    def __init__(self, crew: Crew, targets: Targets, check: Check) -> None:
        self.crew = crew
        self.sent: list[tuple[float, int]] = []
        self.last: Exchange
        self.answer: Answer = well
        self.checker = Checker(check, targets, crew.means, self._send)
        self.checker.start()

    def _send(self, exchange: Exchange, to: Endpoint) -> None:
        self.sent.append((self.crew.clock.monotonic(), to.port))
        self.last = exchange
        self.answer(exchange)

    def one(self) -> None:
        """Until one more has been sent."""
        count = len(self.sent)
        while len(self.sent) == count:
            self.crew.pass_time(0.1)


def well(exchange: Exchange) -> None:
    exchange.answered(Response(200))


def refused(exchange: Exchange) -> None:
    exchange.failed(ConnectRefused("nobody listens"))


def silence(exchange: Exchange) -> None:
    """It never answers."""


@pytest.fixture
def crew() -> Crew:
    return Crew()


def probing(crew: Crew, count: int = 1, **said: object) -> tuple[Probes, Targets]:
    targets = crew.targets(*[1] * count)
    return Probes(crew, targets, Check("/up", **said)), targets  # type: ignore[arg-type]  # each test's own few


def test_three_failures_put_a_target_out_and_two_successes_bring_it_back(crew: Crew) -> None:
    probes, targets = probing(crew)
    condition = next(iter(targets)).condition
    probes.answer = refused
    seen = []
    for answer in (refused, refused, refused, well, refused, well, well):
        probes.answer = answer
        probes.one()
        seen.append(condition.unhealthy)
    assert seen == [False, False, True, True, True, True, False]
    crew.pass_time(11)
    assert crew.types() == ["upstream.unhealthy", "upstream.recovered"]
    assert crew.told[0].data()["reason"] == "3 probes in a row failed, the last one: nobody listens"


def test_others_take_the_requests_meanwhile(crew: Crew) -> None:
    probes, targets = probing(crew, 2)
    probes.answer = lambda exchange: (refused if exchange.endpoint is targets.endpoints[0] else well)(exchange)
    crew.pass_time(45)
    assert {succeed(targets) for _ in range(6)} == {2}
    probes.answer = well
    crew.pass_time(35)
    assert {succeed(targets) for _ in range(6)} == {1, 2}


def test_a_probe_that_takes_too_long_has_failed_and_its_late_answer_is_nothing(crew: Crew) -> None:
    probes, targets = probing(crew, fall=1)
    condition = next(iter(targets)).condition
    probes.answer = silence
    probes.one()
    crew.pass_time(1.9)
    assert condition.well
    crew.pass_time(0.3)
    assert targets.describe() == "round_robin, 0 of 1 targets ready"
    probes.last.answered(Response(200))
    probes.last.failed(ConnectRefused())
    assert condition.probes == -1


def test_what_is_asked(crew: Crew) -> None:
    probes, targets = probing(crew, method="HEAD", host="up.example")
    probes.one()
    request = probes.last.request
    assert (request.method, probes.last.target, request.host) == ("HEAD", "/up", "up.example")
    assert (request.headers.get("connection"), probes.last.fresh) == ("close", True)
    assert probes.last.endpoint is targets.endpoints[0]


def test_the_target_s_own_host(crew: Crew) -> None:
    probes, _ = probing(crew)
    probes.one()
    assert probes.last.request.host == "a:1"


def test_probes_of_many_targets_are_spread_and_vary(crew: Crew) -> None:
    probes, _ = probing(crew, 100)
    begin = crew.clock.monotonic()
    crew.pass_time(10.1)
    first = {port: at - begin for at, port in probes.sent}
    assert len(first) == 100
    for part in range(5):
        assert 8 <= sum(1 for at in first.values() if 2 * part < at <= 2 * part + 2) <= 33
    crew.pass_time(60)
    for port in first:
        times = [at for at, to in probes.sent if to == port]
        gaps = [round(b - a, 1) for a, b in pairwise(times)]
        assert all(8.9 <= gap <= 11.3 for gap in gaps)
    assert len({round(at, 1) for at, _ in probes.sent[-100:]}) > 40


def test_a_check_that_raises_is_logged_counted_and_begins_again(crew: Crew, caplog: pytest.LogCaptureFixture) -> None:
    def broken(exchange: Exchange) -> None:
        raise RuntimeError("a defect")

    probes, targets = probing(crew, fall=1)
    probes.answer = broken
    probes.one()
    probes.one()
    assert probes.checker.restarts == 2
    assert "the health check of http://a:1 failed and begins again" in caplog.text
    probes.answer = refused
    probes.one()
    assert next(iter(targets)).condition.unhealthy


def test_a_verdict_that_raises_does_not_end_it(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel logs what raises; the next probe was due before the verdict was looked at."""
    probes, _ = probing(crew)
    with monkeypatch.context() as patch:
        patch.setattr(probes.checker, "verdict", lambda *_: 1 / 0)
        probes.one()
    assert probes.checker.restarts == 1
    probes.one()
    assert probes.checker.ages()["http://a:1"] == 0


def test_the_age_is_that_of_the_last_probe_that_ended(crew: Crew) -> None:
    probes, _ = probing(crew)
    assert probes.checker.ages() == {"http://a:1": 0}
    probes.one()
    crew.pass_time(4)
    assert probes.checker.ages()["http://a:1"] == pytest.approx(4)
    probes.answer = silence
    probes.one()
    crew.pass_time(1)
    assert probes.checker.ages()["http://a:1"] > 9


def test_targets_that_come_and_go_are_followed(crew: Crew) -> None:
    probes, targets = probing(crew, 2)
    targets.replace([targets.endpoints[1], endpoint(3)])
    probes.checker.follow()
    crew.pass_time(12)
    assert {port for _, port in probes.sent} == {2, 3}
    assert probes.checker.ages().keys() == {"http://a:2", "http://a:3"}


def test_closed_it_probes_no_more(crew: Crew) -> None:
    probes, _ = probing(crew, 3)
    probes.checker.close()
    crew.pass_time(30)
    assert probes.sent == []
    assert not len(crew.wheel)


def test_it_tells_what_it_expects(crew: Crew) -> None:
    probes, _ = probing(crew, statuses=[(204, 204), (300, 399)], body=re.compile(b"ok"))
    assert probes.checker.describe() == (
        "GET /up every 10 s expects 204, 300-399 and a body that matches 'ok' within 2 s; out after 3, back after 2"
    )


# over the wire

UP = "health: {path: /up, every: 1s, timeout: 500ms, fall: 1, rise: 1, %s}"


async def verdict(stage: Stage) -> bool:
    """Let one probe happen; whether the target is well after it."""
    condition = next(iter(stage.upstream.targets)).condition
    before = condition.probed_at
    stage.pass_time(1.2)
    await until(lambda: condition.probed_at > before)
    return condition.well


def answer(status: int, body: bytes = b"", *fields: bytes) -> bytes:
    head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n" % (status, len(body))
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


@pytest.mark.parametrize(
    ("said", "sent", "well"),
    [
        ("", answer(200), True),
        ("", answer(302), True),
        ("", answer(404), False),
        ("", answer(500), False),
        ("status: 404", answer(404), True),
        ("status: [200, 300-302]", answer(302), True),
        ("status: [200, 300-302]", answer(303), False),
        ("body: 'ok.*fine'", answer(200, b"it is ok and fine"), True),
        ("body: 'ok'", answer(200, b"it is not"), False),
        ("body: 'ok'", answer(503, b"ok"), False),
        ("body: 'ok'", answer(200, b"x" * 70000 + b"ok"), False),
        ("method: HEAD", b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n", True),
        ("", b"rubbish\r\n\r\n", False),
        ("", b"HTTP/1.1 103 X\r\n\r\n" + answer(200), True),
    ],
)
async def test_which_answers_are_healthy(said: str, sent: bytes, well: bool) -> None:
    async with staged(upstream=UP % said) as stage:
        stage.script("/up", plays(sent))
        assert await verdict(stage) is well


async def test_a_target_that_is_out_is_answered_for_until_it_is_back() -> None:
    async with staged(upstream=UP % "") as stage:
        stage.script("/up", plays(b"", then="reset"))
        assert not await verdict(stage)
        refusal = await fetch(stage, get("/"))
        assert (refusal.status, refusal.values("retry-after")) == (503, ["5"])
        assert "destination_unavailable" in refusal.values("proxy-status")[0]
        stage.script("/up", plays(answer(200)))
        assert await verdict(stage)
        assert (await fetch(stage, get("/"))).status == 200


async def test_a_probe_takes_no_place_in_the_pool_and_leaves_no_connection() -> None:
    async with staged(upstream=UP % "" + ", pool: {max_connections: 1}") as stage:
        stage.script("/up", plays(answer(200), then="close"))
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            for _ in range(3):
                assert await verdict(stage)
            assert stage.pool.open == 1
            holding.let_go()
            assert (await client.answer()).status == 200
        assert len(stage.origin.record.wires) == 4


async def test_a_target_that_never_answers_is_out() -> None:
    async with staged(upstream=UP % "") as stage:
        stage.script("/up", holding := Holding())
        condition = next(iter(stage.upstream.targets)).condition
        stage.pass_time(1.2)
        await until(lambda: holding.asked)
        assert condition.well
        stage.pass_time(0.6)
        assert condition.unhealthy
        holding.let_go()


async def test_a_body_that_breaks_off_is_no_match() -> None:
    async with staged(upstream=UP % "body: ok") as stage:
        stage.script("/up", plays(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\nok", then="close"))
        assert not await verdict(stage)


def test_an_error_of_the_gateway_itself_is_told_as_it_is(crew: Crew) -> None:
    probes, _ = probing(crew, fall=1)
    probes.answer = lambda exchange: exchange.failed(GatewayError("its own"))
    probes.one()
    assert crew.told[0].data()["reason"].endswith("its own")
