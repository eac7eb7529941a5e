"""A load that keeps time: so many requests a second, whether or not answers keep up.

wrk sends when the last answer has come, so a stall hides the requests that should have been sent during it. Here each
latency counts from the moment at which the request was due. It is a select(2) loop because asyncio's timers count in
milliseconds, too coarse for what is measured. Run as `python paced.py PORT PATH RATE SECONDS CONNECTIONS SEED`.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence

MARK = "load-result "
DRAIN_SECONDS = 2.0
_HEAD_END = b"\r\n\r\n"


def answer_length(received: bytes | bytearray) -> int | None:
    """Return the length of the whole answer that `received` begins with; None while its head is not complete.

    Raises:
        ValueError: when the head declares no Content-Length, the one framing that this load reads.
    """
    end = received.find(_HEAD_END)
    if end < 0:
        return None
    for line in bytes(received[:end]).split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return end + len(_HEAD_END) + int(value)
    raise ValueError("an answer without Content-Length")


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the `ordered` values lie (nearest rank); 0.0 when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class PacedLoad:
    """One run. Connections are opened beforehand; a request that finds none free waits, and its wait counts."""

    def __init__(self, port: int, path: str, rate: int, seconds: float, connections: int, seed: str) -> None:
        self._port, self._path, self._rate, self._seed = port, path, rate, seed
        self._total = int(rate * seconds)
        self._free = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        for one in self._free:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._busy: dict[socket.socket, tuple[float, bytearray]] = {}
        self._due: deque[float] = deque()
        self._latencies: list[float] = []
        self._bytes = self._bad_status = self._lost = 0

    def run(self) -> dict[str, int]:
        """Send everything at its time, wait a little for the last answers, and return the figures."""
        start, planned = time.perf_counter(), 0
        end = start + self._total / self._rate
        while (planned < self._total or self._busy) and (now := time.perf_counter()) < end + DRAIN_SECONDS:
            while planned < self._total and start + planned / self._rate <= now:
                self._due.append(start + planned / self._rate)
                planned += 1
            self._send_due()
            until = start + planned / self._rate if planned < self._total else end + DRAIN_SECONDS
            self._receive(max(0.0, until - time.perf_counter()))
        self.close()
        return self._figures(max(end, start) - start)

    def close(self) -> None:
        """Close every connection."""
        for one in (*self._free, *self._busy):
            one.close()

    def _send_due(self) -> None:
        while self._due and self._free:
            connection, due = self._free.pop(), self._due.popleft()
            self._busy[connection] = (due, bytearray())
            try:
                connection.sendall(self._request())
            except ConnectionError:
                self._lose(connection)

    def _request(self) -> bytes:
        unique = f"{self._seed}{len(self._latencies) + len(self._busy):08x}"
        return (
            f"GET {self._path}?page={unique} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUser-Agent: paced\r\n"
            f"Accept: application/json\r\nX-Request-ID: {unique:0<32}\r\nCookie: session={unique}; theme=dark\r\n\r\n"
        ).encode()

    def _receive(self, seconds: float) -> None:
        readable, _, _ = select.select(list(self._busy), [], [], seconds)
        for connection in readable:
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        due, received = self._busy[connection]
        try:
            data = connection.recv(1 << 18)
        except ConnectionError:
            data = b""
        received += data
        length = answer_length(received)
        if not data:
            self._lose(connection)
        elif length is not None and len(received) >= length:
            self._finish(connection, due, received)

    def _finish(self, connection: socket.socket, due: float, received: bytearray) -> None:
        self._latencies.append(time.perf_counter() - due)
        self._bytes += len(received)
        self._bad_status += received[9:12] != b"200"
        del self._busy[connection]
        self._free.append(connection)

    def _lose(self, connection: socket.socket) -> None:
        del self._busy[connection]
        self._lost += 1
        connection.close()

    def _figures(self, seconds: float) -> dict[str, int]:
        ordered = sorted(self._latencies)
        micros = {name: round(quantile(ordered, share) * 1e6) for name, share in _QUANTILES.items()}
        unanswered = self._total - len(ordered) - self._lost
        errors = {"connect": 0, "read": self._lost, "write": 0, "status": self._bad_status, "timeout": unanswered}
        return {
            "requests": len(ordered),
            "microseconds": round(seconds * 1e6),
            "bytes": self._bytes,
            **errors,
            **micros,
        }


_QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}


def main(port: str, path: str, rate: str, seconds: str, connections: str, seed: str) -> None:
    load = PacedLoad(int(port), path, int(rate), float(seconds), int(connections), seed)
    print(MARK + json.dumps(load.run()))


if __name__ == "__main__":
    main(*sys.argv[1:])
