"""Where one WebSocket frame ends and the next begins (RFC 6455 section 5.2), and no more than that.

A tunnel passes WebSockets on as bytes: extensions, subprotocols and messages are the two ends' own affair. But when the
gateway stops, both ends are to be told by a close frame, and a frame can be put only between two others. So lengths are
counted in both directions; payloads are not looked at.
"""

from __future__ import annotations

import struct

GOING_AWAY = 1001  # RFC 6455 section 7.4.1: "a server going down"

_CLOSE = 8
_EXTENDED = {126: (4, ">H"), 127: (10, ">Q")}  # how many bytes of a header tell the length, by its seven bits


def frame_size(data: bytes, at: int) -> int:
    """Bytes of the whole frame that begins at `at`, header and mask included; 0 while its length is not here."""
    here = len(data) - at
    if here < 2:
        return 0
    second = data[at + 1]
    masked = 4 if second & 128 else 0
    length = second & 127
    if length < 126:
        return 2 + masked + length
    needed, form = _EXTENDED[length]
    if here < needed:
        return 0
    size: int = struct.unpack_from(form, data, at + 2)[0]
    return needed + masked + size


def close_frame(code: int, mask: bytes = b"") -> bytes:
    """A close frame without a reason (RFC 6455 section 5.5.1).

    :param mask: four bytes towards a server, none towards a client (section 5.1).
    """
    payload = code.to_bytes(2, "big")
    if mask:
        payload = bytes(byte ^ key for byte, key in zip(payload, mask, strict=False))
    return bytes((128 | _CLOSE, (128 if mask else 0) | 2)) + mask + payload


class Frames:
    """The frames of one direction: counted, and ended between two of them when that is asked for.

    :ivar closing: whether a close frame has begun to come.
    :ivar said: whether a frame of ours was put; nothing that comes after it is passed on (RFC 6455 section 5.5.1).
    """

    __slots__ = ("_left", "_part", "_words", "closing", "said")

    def __init__(self) -> None:
        self._left = 0  # bytes still to come of the frame under way
        self._part = b""  # the beginning of a header
        self._words = b""  # our own close frame, waiting for the frame under way to end
        self.closing = False
        self.said = False

    @property
    def between(self) -> bool:
        """Whether the last frame is whole, and none has begun."""
        return not self._left and not self._part

    @property
    def closed(self) -> bool:
        """Whether a close frame has come, to its end."""
        return self.closing and self.between

    def feed(self, data: bytes) -> bytes:
        """Count what came.

        :returns: what is to be passed on: `data` itself, until a frame of ours is put.
        """
        if not self._words and not self.said:
            self._count(data)
            return data
        end = -1 if self.said else self._end(data)
        words, self._words = self._words, b""
        self._count(data)
        if self.said:
            return b""
        if end < 0:
            self._words = words
            return data
        self.said = True
        return data[:end] + words

    def say(self, frame: bytes) -> bytes:
        """Put a close frame, behind the frame under way.

        :returns: what can be sent now: the frame, or nothing while another is under way.
        """
        if self.between:
            self.said = True
            return frame
        self._words = frame
        return b""

    def _count(self, data: bytes) -> None:
        at = self._left
        if self._part:
            data = self._part + data
            self._part = b""
        size = len(data)
        while at < size:
            whole = frame_size(data, at)
            if not whole:
                self._part = data[at:]
                at = size
                break
            if data[at] & 15 == _CLOSE:
                self.closing = True
            at += whole
        self._left = at - size

    def _end(self, data: bytes) -> int:
        """Where in `data` the frame under way ends; -1 when that is not in it."""
        if self._left:
            return self._left if self._left <= len(data) else -1
        whole = frame_size(self._part + data, 0)
        end = whole - len(self._part)
        return end if whole and end <= len(data) else -1
