"""Frames are counted, however they come; a close frame of ours stands between two of them, and nothing behind it."""

from __future__ import annotations

import random

import pytest

from proxy.websocket import GOING_AWAY, Frames, close_frame, frame_size

MASK = b"\x01\x02\x03\x04"


def frame(payload: bytes, *, opcode: int = 2, fin: bool = True, masked: bool = False) -> bytes:
    first, size, bit = opcode | (128 if fin else 0), len(payload), 128 if masked else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    return head + (MASK if masked else b"") + payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100000])
@pytest.mark.parametrize("masked", [False, True])
def test_the_size_of_a_frame(size: int, masked: bool) -> None:
    data = frame(b"x" * size, masked=masked)
    assert frame_size(b"??" + data, 2) == len(data)
    needed = 2 if size < 126 else 4 if size < 65536 else 10
    for here in range(needed):
        assert frame_size(data[:here], 0) == 0
    assert frame_size(data[:needed], 0) == len(data)


def test_a_close_frame() -> None:
    assert close_frame(GOING_AWAY) == bytes.fromhex("880203e9")
    masked = close_frame(GOING_AWAY, MASK)
    assert masked == bytes.fromhex("8882") + MASK + bytes((0x03 ^ 1, 0xE9 ^ 2))
    assert frame_size(masked, 0) == len(masked)


MESSAGES = [
    frame(b"hello", opcode=1),
    frame(b"a" * 200, fin=False) + frame(b"", opcode=9) + frame(b"b" * 300, opcode=0),
    frame(b"c" * 70000, masked=True),
    frame(b"", masked=True) * 3,
]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_pieces_all_is_passed_on_and_the_count_is_right(seed: int) -> None:
    rnd, data = random.Random(seed), b"".join(MESSAGES)
    frames, passed, at = Frames(), b"", 0
    while at < len(data):
        size = rnd.choice([1, 2, 3, 7, 100, 5000, 80000])
        passed += frames.feed(data[at : at + size])
        at += size
    assert passed == data
    assert frames.between
    assert not frames.closing


def test_every_boundary_is_seen_byte_by_byte() -> None:
    data = b"".join(MESSAGES[:2])
    ends, at = {0}, 0
    while at < len(data):
        at += frame_size(data, at)
        ends.add(at)
    frames = Frames()
    for index in range(len(data)):
        assert frames.between == (index in ends)
        frames.feed(data[index : index + 1])


def test_a_close_frame_that_comes_is_seen_and_then_whole() -> None:
    frames, data = Frames(), frame(b"\x03\xe8bye", opcode=8, masked=True)
    frames.feed(frame(b"x") + data[:3])
    assert (frames.closing, frames.closed) == (True, False)
    frames.feed(data[3:])
    assert (frames.closing, frames.closed) == (True, True)


def test_between_two_frames_a_close_frame_leaves_at_once_and_nothing_follows() -> None:
    frames = Frames()
    frames.feed(frame(b"one"))
    assert frames.say(b"CLOSE") == b"CLOSE"
    assert frames.said
    assert frames.feed(frame(b"two")) == b""
    assert frames.feed(frame(b"", opcode=8)) == b""
    assert frames.closed


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 150, 203])
@pytest.mark.parametrize("size", [1, 3, 60, 1000])
def test_within_a_frame_it_waits_for_its_end(cut: int, size: int) -> None:
    first = frame(b"a" * 200)  # four bytes of header
    data = first + frame(b"b" * 10)
    frames = Frames()
    passed = frames.feed(data[:cut])
    assert frames.say(b"CLOSE") == b""
    for at in range(cut, len(data), size):
        passed += frames.feed(data[at : at + size])
    assert passed == first + b"CLOSE"


def test_a_length_beyond_all_measure_never_ends() -> None:
    frames = Frames()
    frames.feed(b"\x82\x7f" + b"\xff" * 8)
    assert frames.say(b"CLOSE") == b""
    assert frames.feed(b"x" * 1000) == b"x" * 1000
