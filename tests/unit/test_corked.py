"""Heads are worked on together; small writes leave together, in order, and never after the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from proxy.corked import Corked, Flusher


class Wire(asyncio.Transport):
    """What reaches the system, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []
        self.closing = False
        self.broken = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self.broken:
            raise OSError("gone")
        self.calls.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.calls.append([bytes(data) for data in list_of_data])

    def write_eof(self) -> None:
        self.calls.append("eof")

    def close(self) -> None:
        self.closing = True
        self.calls.append("close")

    def abort(self) -> None:
        self.closing = True
        self.calls.append("abort")

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 5


class Turn:
    """A loop whose turns end when the test says so."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.flusher = Flusher(self.call_soon)

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def end(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


@pytest.fixture
def turn() -> Turn:
    return Turn()


def test_small_writes_of_one_turn_leave_as_one(turn: Turn) -> None:
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    corked.write(b"a")
    corked.write(b"b")
    assert (wire.calls, corked.get_write_buffer_size()) == ([], 7)
    turn.end()
    assert (wire.calls, corked.get_write_buffer_size()) == ([b"ab"], 5)


def test_what_is_written_alone_leaves_at_once(turn: Turn) -> None:
    turn.flusher.single = lambda: True
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    for letter in (b"a", b"b"):
        corked.write(letter)
        assert wire.calls[-1] == letter
        turn.end()
    assert (wire.calls, turn.soon) == ([b"a", b"b"], [])


def test_many_that_are_single_one_after_the_other_are_a_crowd(turn: Turn) -> None:
    turn.flusher.single = lambda: True
    wires = [Wire() for _ in range(3)]
    corked = [Corked(wire, turn.flusher) for wire in wires]
    for transport in corked:
        transport.write(b"1")
    assert [wire.calls for wire in wires] == [[b"1"], [], []]
    turn.end()
    for transport in corked:
        transport.write(b"2")
    assert [wire.calls for wire in wires] == [[b"1"]] * 3
    turn.end()
    assert [wire.calls for wire in wires] == [[b"1", b"2"]] * 3


def test_what_left_at_once_and_what_waits_are_a_crowd_of_that_turn_alone(turn: Turn) -> None:
    turn.flusher.single = lambda: True
    one, other = Corked(Wire(), turn.flusher), Corked(Wire(), turn.flusher)
    one.write(b"a")
    other.write(b"b")
    turn.end()
    assert turn.flusher.crowd
    one.write(b"c")
    turn.end()
    assert not turn.flusher.crowd


def test_what_is_written_behind_what_left_waits_for_the_end_of_the_turn(turn: Turn) -> None:
    turn.flusher.single = lambda: True
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    for letter in (b"a", b"b", b"c"):
        corked.write(letter)
    assert wire.calls == [b"a"]
    assert len(turn.soon) == 1
    turn.end()
    assert wire.calls == [b"a", b"bc"]


def test_who_is_single_at_last_waits_for_the_end_of_the_turn_too(turn: Turn) -> None:
    wire, other = Wire(), Wire()
    corked = Corked(wire, turn.flusher)
    corked.write(b"a")
    turn.flusher.single = lambda: True
    corked.write(b"b")
    Corked(other, turn.flusher).write(b"c")
    assert (wire.calls, other.calls) == ([], [])
    turn.end()
    assert (wire.calls, other.calls) == ([b"ab"], [b"c"])


def test_one_that_is_not_hasty_waits_for_the_end_of_the_turn(turn: Turn) -> None:
    turn.flusher.single = lambda: True
    wire = Wire()
    Corked(wire, turn.flusher, hasty=False).write(b"a")
    assert wire.calls == []
    turn.end()
    assert wire.calls == [b"a"]


def test_one_that_is_not_hasty_holds_much_as_well(turn: Turn) -> None:
    turn.flusher.single = lambda: True
    wire = Wire()
    corked = Corked(wire, turn.flusher, hasty=False)
    corked.write(b"x" * 20_000)
    corked.writelines([b"y" * 70_000, b"z"])
    assert (wire.calls, corked.left) == ([], 0)
    turn.end()
    assert wire.calls == [b"x" * 20_000 + b"y" * 70_000 + b"z"]


def test_one_that_is_not_hasty_holds_no_more_than_a_read(turn: Turn) -> None:
    wire = Wire()
    corked = Corked(wire, turn.flusher, hasty=False)
    corked.write(b"x" * 200_000)
    corked.write(b"y" * 100_000)
    assert wire.calls == [b"x" * 200_000 + b"y" * 100_000]


def test_the_first_of_a_crowd_waits_for_the_others(turn: Turn) -> None:
    wires = [Wire(), Wire()]
    corked = [Corked(wire, turn.flusher) for wire in wires]
    for transport in corked:
        transport.write(b"1")
    turn.end()
    turn.flusher.single = lambda: True
    corked[0].write(b"2")
    assert wires[0].calls == [b"1"]
    turn.end()
    corked[0].write(b"3")  # that turn had one: it is no crowd any more
    assert wires[0].calls == [b"1", b"2", b"3"]


def test_one_callback_serves_all_connections_of_a_turn(turn: Turn) -> None:
    wires = [Wire(), Wire()]
    for wire in wires:
        Corked(wire, turn.flusher).write(b"x")
    assert len(turn.soon) == 1
    turn.end()
    assert [wire.calls for wire in wires] == [[b"x"], [b"x"]]
    assert turn.soon == []


def test_the_next_turn_is_served_too(turn: Turn) -> None:
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    for part in (b"1", b"2"):
        corked.write(part)
        turn.end()
    assert wire.calls == [b"1", b"2"]


def test_much_leaves_at_once(turn: Turn) -> None:
    wire = Wire()
    Corked(wire, turn.flusher).write(bytes(16385))
    assert wire.calls == [bytes(16385)]
    assert turn.soon == []


def test_what_grows_large_leaves_at_once_and_in_order(turn: Turn) -> None:
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    corked.write(b"a")
    corked.write(bytes(16384))
    assert wire.calls == [b"a" + bytes(16384)]
    turn.end()
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda corked: corked.writelines([b"b", b"c"]), [b"a", [b"b", b"c"]]),
        (lambda corked: corked.write_eof(), [b"a", "eof"]),
        (lambda corked: corked.close(), [b"a", "close"]),
        (lambda corked: corked.abort(), ["abort"]),
    ],
)
def test_nothing_overtakes_what_is_held(turn: Turn, end: Callable[[Corked], None], expected: list[object]) -> None:
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    corked.write(b"a")
    end(corked)
    turn.end()
    assert wire.calls == expected


def test_nothing_is_written_to_a_connection_that_ended_meanwhile(turn: Turn) -> None:
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    corked.write(b"a")
    wire.closing = True
    turn.end()
    corked.write(bytes(16385))
    corked.writelines([b"b", b"c"])
    assert (wire.calls, corked.left) == ([], 0)


def test_it_is_closed_once(turn: Turn) -> None:
    inner = Wire()
    corked = Corked(inner, turn.flusher)
    corked.close()
    corked.close()
    assert inner.calls == ["close"]


def test_one_that_fails_is_cut_and_does_not_keep_the_others(turn: Turn, caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = Wire(), Wire()
    broken.broken = True
    for wire in (broken, sound):
        Corked(wire, turn.flusher).write(b"x")
    turn.end()
    assert (broken.calls, sound.calls) == (["abort"], [b"x"])
    assert "a write failed" in caplog.text


async def test_over_a_real_connection_everything_else_is_the_inner_transport(turn: Turn) -> None:
    received = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    inner, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)
    corked = Corked(inner, Flusher(asyncio.get_running_loop().call_soon))
    corked.set_write_buffer_limits(high=1024)
    assert corked.get_extra_info("peername") == ("127.0.0.1", port)
    assert corked.is_reading()
    corked.pause_reading()
    assert not corked.is_reading()
    corked.resume_reading()
    corked.write(b"hello ")
    corked.write(b"world")
    assert corked.can_write_eof()
    corked.write_eof()
    assert await received == b"hello world"
    corked.close()
    assert corked.is_closing()
    server.close()
    await server.wait_closed()


def test_what_has_left_is_counted(turn: Turn) -> None:
    corked = Corked(Wire(), turn.flusher)
    corked.write(b"a")
    assert corked.left == 0
    turn.end()
    assert corked.left == 1
    corked.write(bytes(16385))
    corked.writelines([b"b"])
    assert corked.left == 3


class Taker:
    """A connection with something to work on, which answers by a write."""

    def __init__(self, log: list[str], name: str, corked: Corked, *, broken: bool = False) -> None:
        self._log = log
        self._name = name
        self._corked = corked
        self._broken = broken

    def take(self) -> None:
        self._log.append(self._name)
        if self._broken:
            raise ValueError("a defect")
        self._corked.write(self._name.encode())

    def abort(self) -> None:
        self._log.append(f"end of {self._name}")


def crowd(turn: Turn) -> None:
    """Have a turn with two to serve."""
    for corked in [Corked(Wire(), turn.flusher) for _ in range(2)]:
        corked.write(b"x")
    turn.end()


def test_what_comes_alone_is_not_put_off(turn: Turn) -> None:
    assert turn.flusher.later(Taker([], "one", Corked(Wire(), turn.flusher))) is False
    assert turn.soon == []


def test_what_comes_to_many_is_worked_on_at_the_end_of_the_turn_answers_first(turn: Turn) -> None:
    crowd(turn)
    log: list[str] = []
    wire = Wire()
    corked = Corked(wire, turn.flusher)
    for name, answer in (("a", False), ("b", True), ("c", False), ("d", True)):
        assert turn.flusher.later(Taker(log, name, corked), answer=answer) is True
    assert (log, len(turn.soon)) == ([], 1)
    turn.end()
    assert (log, wire.calls, turn.soon) == (["b", "d", "a", "c"], [b"bdac"], [])


def test_one_that_comes_alone_ends_the_crowd(turn: Turn) -> None:
    crowd(turn)
    corked = Corked(Wire(), turn.flusher)
    assert turn.flusher.later(Taker([], "one", corked)) is True
    turn.end()
    assert turn.flusher.later(Taker([], "one", corked)) is False


def test_many_who_write_nothing_are_a_crowd_too(turn: Turn) -> None:
    crowd(turn)
    takers = [Taker([], name, Corked(Wire(), turn.flusher), broken=True) for name in ("a", "b")]
    for taker in takers:
        turn.flusher.later(taker)
    turn.end()
    assert turn.flusher.later(takers[0]) is True


def test_work_that_fails_does_not_keep_the_others(turn: Turn, caplog: pytest.LogCaptureFixture) -> None:
    crowd(turn)
    log: list[str] = []
    wire = Wire()
    for name in ("a", "b"):
        turn.flusher.later(Taker(log, name, Corked(wire, turn.flusher), broken=name == "a"))
    turn.end()
    assert (log, wire.calls) == (["a", "end of a", "b"], [b"b"])
    assert "a defect" in caplog.text


def test_what_is_put_off_while_others_are_worked_on_is_worked_on_too(turn: Turn) -> None:
    crowd(turn)
    log: list[str] = []
    corked = Corked(Wire(), turn.flusher)
    last = Taker(log, "last", corked)

    class First(Taker):
        def take(self) -> None:
            super().take()
            turn.flusher.later(last, answer=True)

    turn.flusher.later(First(log, "first", corked))
    turn.end()
    assert (log, turn.soon) == (["first", "last"], [])
