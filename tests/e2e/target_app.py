"""One of several targets, in a process of its own, that behaves in one way for as long as it lives.

`target_app.py PORT WAY ADDRESS|PATH`: `ok` answers; `silent` takes requests and never answers; `half` sends half a head
and closes; `resets` resets every other request, at the places where that can happen; `fails` answers 503. Except in
tests of other ways, `/count` tells how many requests came before it.
"""

from __future__ import annotations

import itertools
import socket
import struct
import sys
import threading
from pathlib import Path

COUNT = itertools.count()
BODY = b"x" * 1000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + BODY
FAILS = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"
RESETS = (b"", OK[:10], OK[:100])  # what comes before the reset


def answer(sock: socket.socket, way: str, number: int) -> bool:
    """Answer one request; False when the connection is over."""
    if way == "silent":
        return True
    if way == "half":
        sock.sendall(OK[:20])
        return False
    if way == "resets" and number % 2:
        sock.sendall(RESETS[number // 2 % len(RESETS)])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    sock.sendall(FAILS if way == "fails" else OK)
    return True


def serve(sock: socket.socket, way: str) -> None:
    """One connection, request by request."""
    held = b""
    try:
        with sock:
            while True:
                while b"\r\n\r\n" not in held:
                    data = sock.recv(65536)
                    if not data:
                        return
                    held += data
                head, _, held = held.partition(b"\r\n\r\n")
                number = next(COUNT)
                if head.startswith(b"GET /count "):
                    told = b"%d" % number
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
                elif not answer(sock, way, number):
                    return
    except OSError:
        pass


def listener(at: str, port: int) -> socket.socket:
    """On a port of an address, or at the path of a Unix socket, which one that died has left behind."""
    if not at.startswith("/"):
        return socket.create_server((at, port), backlog=128)
    Path(at).unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(at)
    server.listen(128)
    return server


def main() -> None:
    """Serve until the process is ended."""
    server = listener(sys.argv[3], int(sys.argv[1]))
    print(server.getsockname()[1] if server.family == socket.AF_INET else 0, flush=True)
    while True:
        sock, _ = server.accept()
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock, sys.argv[2]), daemon=True).start()


if __name__ == "__main__":
    main()
