"""Names: kept, looked up again in time, and served on while nobody can tell their addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from proxy.clock import ManualClock
from proxy.metrics import Metrics
from proxy.timers import Wheel
from proxy.upstream.resolve import Addresses, Resolver, system_lookup
from tests.unit.frontend.stage import until


class Dns:
    """What a name server says; None when it says nothing useful."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[str] | None] = {"app.test": ["10.0.0.1"]}
        self.asked: list[str] = []
        self.held: asyncio.Event | None = None

    async def lookup(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if self.held is not None:
            await self.held.wait()
        answer = self.answers.get(host)
        if answer is None:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return answer


class Desk:
    """A resolver, time, and the name server."""

    def __init__(self) -> None:
        self.clock, self.dns, self.metrics = ManualClock(), Dns(), Metrics()
        self.wheel = Wheel(self.clock)
        self.tasks: set[asyncio.Task[None]] = set()
        self.resolver = Resolver(
            clock=self.clock, wheel=self.wheel, spawn=self.spawn, metrics=self.metrics, lookup=self.dns.lookup
        )

    def spawn(self, work: object) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine
        self.tasks.add(task)
        return task  # type: ignore[no-any-return]  # of that coroutine

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.wheel.advance()
        while pending := [task for task in self.tasks if not task.done()]:
            await asyncio.wait(pending)

    def figures(self, name: str) -> dict[str, float]:
        text = self.metrics.exposition()[0].decode()
        lines = [line.removeprefix(f"passerelle_dns_{name}") for line in text.splitlines() if not line.startswith("#")]
        return {key: float(value) for key, _, value in (line.rpartition(" ") for line in lines) if key[:1] in ("", "{")}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.resolver.close()
    assert len(made.wheel) == 0


async def test_an_answer_is_kept_for_its_time(desk: Desk) -> None:
    for _ in range(3):
        assert await desk.resolver.addresses("app.test") == ("10.0.0.1",)
    assert len(desk.dns.asked) == 1
    desk.dns.answers["app.test"] = ["10.0.0.2", "10.0.0.3", "10.0.0.2"]
    await desk.pass_time(9.9)
    assert await desk.resolver.addresses("app.test") == ("10.0.0.1",)
    await desk.pass_time(0.2)
    assert await desk.resolver.addresses("app.test") == ("10.0.0.2", "10.0.0.3")


async def test_many_wait_for_one_look_up(desk: Desk) -> None:
    desk.dns.held = asyncio.Event()
    waiting = [asyncio.ensure_future(desk.resolver.addresses("app.test")) for _ in range(5)]
    await until(lambda: desk.dns.asked)
    waiting[0].cancel()
    desk.dns.held.set()
    assert await asyncio.gather(*waiting[1:]) == [("10.0.0.1",)] * 4
    assert desk.dns.asked == ["app.test"]


async def test_a_name_without_addresses(desk: Desk) -> None:
    desk.dns.answers |= {"none.test": None, "empty.test": []}
    for host in ("none.test", "empty.test"):
        with pytest.raises(OSError, match=r"try again|no address"):
            await desk.resolver.addresses(host)
    desk.dns.answers["none.test"] = ["10.0.0.9"]
    assert await desk.resolver.addresses("none.test") == ("10.0.0.9",)


async def test_the_last_good_answer_serves_on(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.resolver.addresses("app.test")
    desk.dns.answers["app.test"] = None
    for _ in range(10):
        await desk.pass_time(30)
        assert await desk.resolver.addresses("app.test") == ("10.0.0.1",)
    assert desk.figures("stale_answers_total") == {"": 10}
    assert desk.figures("names") == {'{state="fresh"}': 0, '{state="stale"}': 1, '{state="unknown"}': 0}
    assert desk.figures("lookups_total") == {'{result="ok"}': 1, '{result="failed"}': 10}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "app.test cannot be looked up" in caplog.text
    await desk.pass_time(11)
    with pytest.raises(OSError, match="try again"):
        await desk.resolver.addresses("app.test")
    assert desk.figures("names")['{state="unknown"}'] == 1


async def test_an_outage_ends(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await desk.resolver.addresses("app.test")
    desk.dns.answers["app.test"] = None
    await desk.pass_time(11)
    await desk.resolver.addresses("app.test")
    assert await desk.resolver.addresses("app.test") == ("10.0.0.1",)
    assert len(desk.dns.asked) == 2, "it was asked again although it has just failed"
    desk.dns.answers["app.test"] = ["10.0.0.1"]
    await desk.pass_time(5.1)
    assert await desk.resolver.addresses("app.test") == ("10.0.0.1",)
    assert "app.test is known again" in caplog.text
    assert desk.figures("names")['{state="fresh"}'] == 1


async def test_a_name_server_that_hangs_does_not_hold_up_what_is_known(desk: Desk) -> None:
    """The one test that waits for real, for a second: the loop's clock is the one that counts here."""
    await desk.resolver.addresses("app.test")
    desk.dns.held = asyncio.Event()
    desk.clock.advance(20)
    assert await desk.resolver.addresses("app.test") == ("10.0.0.1",)
    assert desk.figures("stale_answers_total") == {"": 1}
    desk.dns.held.set()
    await desk.pass_time(0)


class TestFollowing:
    async def test_changes_are_told(self, desk: Desk) -> None:
        told: list[Addresses] = []
        stop = desk.resolver.watch("app.test", told.append)
        await desk.pass_time(0)
        await desk.pass_time(10.1)
        assert (told, len(desk.dns.asked)) == ([("10.0.0.1",)], 2)
        desk.dns.answers["app.test"] = ["10.0.0.2", "10.0.0.1"]
        await desk.pass_time(10.1)
        desk.dns.answers["app.test"] = ["10.0.0.1", "10.0.0.2"]
        await desk.pass_time(10.1)
        assert told[1:] == [("10.0.0.2", "10.0.0.1")], "an order that changes is no change"
        stop()
        await desk.pass_time(60)
        assert len(desk.dns.asked) == 4

    async def test_failures_are_repeated_sooner_and_change_nothing(self, desk: Desk) -> None:
        told: list[Addresses] = []
        desk.resolver.watch("app.test", told.append)
        await desk.pass_time(0)
        desk.dns.answers["app.test"] = None
        await desk.pass_time(10.1)
        await desk.pass_time(5.1)
        assert (told, len(desk.dns.asked)) == ([("10.0.0.1",)], 3)
        await desk.pass_time(1000)
        assert told == [("10.0.0.1",)]

    async def test_a_name_that_is_not_known_yet(self, desk: Desk) -> None:
        told: list[Addresses] = []
        desk.dns.answers["late.test"] = None
        desk.resolver.watch("late.test", told.append)
        await desk.pass_time(0)
        desk.dns.answers["late.test"] = ["10.0.0.7"]
        await desk.pass_time(5.1)
        assert told == [("10.0.0.7",)]

    async def test_two_follow_one_name(self, desk: Desk) -> None:
        one: list[Addresses] = []
        two: list[Addresses] = []
        stop = desk.resolver.watch("app.test", one.append)
        await desk.pass_time(0)
        desk.resolver.watch("app.test", two.append)
        assert (one, two, len(desk.dns.asked)) == ([("10.0.0.1",)], [("10.0.0.1",)], 1)
        stop()
        stop()
        desk.dns.answers["app.test"] = ["10.0.0.2"]
        await desk.pass_time(10.1)
        assert (len(one), two[-1]) == (1, ("10.0.0.2",))


async def test_names_are_not_kept_without_end(desk: Desk) -> None:
    desk.resolver.watch("app.test", lambda _: None)
    for number in range(1100):
        desk.dns.answers[f"{number}.test"] = ["10.0.0.1"]
        await desk.resolver.addresses(f"{number}.test")
    assert desk.figures("names")['{state="fresh"}'] <= 1001
    asked = len(desk.dns.asked)
    await desk.resolver.addresses("app.test")
    assert len(desk.dns.asked) == asked, "one that is followed was forgotten"


async def test_the_face_that_aiohttp_knows(desk: Desk) -> None:
    desk.dns.answers["app.test"] = ["10.0.0.1", "::1"]
    found = await desk.resolver.resolve("app.test", 81)
    assert [(one["host"], one["port"], one["family"]) for one in found] == [
        ("10.0.0.1", 81, socket.AF_INET),
        ("::1", 81, socket.AF_INET6),
    ]


async def test_the_system_knows_itself() -> None:
    assert set(await system_lookup("localhost")) & {"127.0.0.1", "::1"}
