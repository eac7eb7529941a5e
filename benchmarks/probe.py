"""Is it up, and does it answer what it should? Asked once before a peer is measured.

A proxy that answers quickly and wrongly would win every table, so status and length are checked first.
"""

from __future__ import annotations

import http.client
import time

from benchmarks.process import Child

READY_SECONDS = 20.0
_PAUSE = 0.05
_PIECE = 1 << 20  # bytes read at a time: an answer may be larger than memory


class NotReady(Exception):
    """A server did not give the expected answer in time, or died before it could."""


def fetch(port: int, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, int]:
    """Return the status and the length of the body that one loopback request brings.

    Raises:
        OSError, http.client.HTTPException: when no whole answer comes.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, sum(map(len, iter(lambda: answer.read(_PIECE), b"")))
    finally:
        connection.close()


def wait_for(child: Child, port: int, path: str, length: int, method: str = "GET", body: bytes | None = None) -> None:
    """Return once `path` answers 200 with `length` bytes.

    Raises:
        NotReady: after 20 seconds, or as soon as `child` has ended.
    """
    deadline = time.monotonic() + READY_SECONDS
    seen = "no answer"
    while time.monotonic() < deadline:
        if not child.alive():
            raise NotReady(f"it ended: {child.last_words()}")
        try:
            status, got = fetch(port, path, method, body)
        except (OSError, http.client.HTTPException) as error:
            seen = str(error) or type(error).__name__
        else:
            if (status, got) == (200, length):
                return
            seen = f"{status} with {got} bytes where 200 with {length} was due"
        time.sleep(_PAUSE)
    raise NotReady(seen)
