"""An upstream in a process of its own: large bodies, and every way in which an upstream misbehaves.

It speaks HTTP/1.1 with its bare hands, on blocking sockets and a thread for each connection: a peer that shares no code
with what it tests. Whatever a connection did is told under the `key` of its request's query; `/wait` holds its answer
until something has happened, so that tests wait for facts and not for time.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PIECE = 262144  # bytes read or written at once
PATIENCE = 60.0  # seconds until nothing more is waited for

BLOCK = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(16411))  # no two parts of it are alike


def content_hash(size: int) -> str:
    """SHA-256 of the first `size` bytes of the content."""
    whole, digest = divmod(size, len(BLOCK)), hashlib.sha256()
    for _ in range(whole[0]):
        digest.update(BLOCK)
    digest.update(BLOCK[: whole[1]])
    return digest.hexdigest()


class Facts:
    """What became of the requests, by key; shared by the threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._facts: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def tell(self, key: str, **facts: Any) -> None:
        """Something is so from now on."""
        with self._changed:
            self._facts[key].update(facts)
            self._changed.notify_all()

    def read(self, key: str) -> dict[str, Any]:
        """All that is known."""
        with self._changed:
            return dict(self._facts[key])

    def wait(self, key: str, fact: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """All that is known, once `fact` is among it, or the patience is over."""
        with self._changed:
            self._changed.wait_for(lambda: fact in self._facts[key], seconds)
            return dict(self._facts[key])


FACTS = Facts()


class Request:
    """One request's head, and its body still on the wire."""

    def __init__(self, sock: socket.socket, head: bytes, held: bytes) -> None:
        line, *fields = head.decode("latin-1").split("\r\n")
        self.method, target, _ = line.split(" ")
        parts = urlsplit(target)
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query))
        self.key = self.query.get("key", self.path)
        self.fields = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        self._sock = sock
        self._held = held

    def pieces(self) -> Any:
        """The body, piece by piece.

        :raises ConnectionError: when it is cut.
        """
        if "chunked" in self.fields.get("transfer-encoding", ""):
            while size := int(self._line(), 16):
                yield from self._exactly(size)
                self._line()
            self._line()
        else:
            yield from self._exactly(int(self.fields.get("content-length", 0)))

    def _exactly(self, left: int) -> Any:
        while left:
            piece = self._take(left)
            left -= len(piece)
            yield piece

    def _take(self, most: int) -> bytes:
        if not self._held:
            self._held = self._sock.recv(PIECE)
            if not self._held:
                raise ConnectionError("cut")
        piece, self._held = self._held[:most], self._held[most:]
        return piece

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += self._take(1)
        return line.strip()


def serve(sock: socket.socket) -> None:
    """One connection, request by request."""
    request = None
    try:
        with sock:
            held = b""
            while True:
                while b"\r\n\r\n" not in held:
                    data = sock.recv(PIECE)
                    if not data:
                        return
                    held += data
                head, _, held = held.partition(b"\r\n\r\n")
                request, held = Request(sock, head, held), b""
                FACTS.tell(request.key, began=True)
                HANDLERS[request.path](sock, request)
    except OSError:
        pass
    finally:
        if request is not None:
            FACTS.tell(request.key, gone=True)


def answer(sock: socket.socket, said: Any, status: str = "200 OK") -> None:
    """A small answer of JSON."""
    body = json.dumps(said).encode()
    sock.sendall(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body))


def download(sock: socket.socket, request: Request) -> None:
    """`/bytes?size=&chunked=&die=`: tells `sent` as it goes; `die=1` goes half the way only."""
    left, chunked, sent = int(request.query["size"]), "chunked" in request.query, 0
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {left}"
    sock.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
    view = memoryview(BLOCK)
    while left:
        piece = view[sent % len(BLOCK) :][: min(left, PIECE, 4 * PIECE - sent % (4 * PIECE))]
        if chunked:
            sock.sendall(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)))
        else:
            sock.sendall(piece)
        sent += len(piece)
        left -= len(piece)
        FACTS.tell(request.key, sent=sent)
        if "die" in request.query and sent >= left:
            raise OSError("as it was asked to")
    if chunked:
        sock.sendall(b"0\r\n\r\n")


def sink(sock: socket.socket, request: Request) -> None:
    """`/sink`: takes a body, and tells its length and hash; `wait=1` waits for `/release` before it takes any."""
    if "wait" in request.query:
        FACTS.wait(request.key, "released")
    digest, size = hashlib.sha256(), 0
    for piece in request.pieces():
        digest.update(piece)
        size += len(piece)
    answer(sock, {"size": size, "sha256": digest.hexdigest()})


def tell_facts(sock: socket.socket, request: Request) -> None:
    """`/facts?of=&wait=`: what is known of a key, once it holds the fact that is waited for."""
    of, fact = request.query["of"], request.query.get("wait")
    answer(sock, FACTS.wait(of, fact) if fact else FACTS.read(of))


def release(sock: socket.socket, request: Request) -> None:
    """`/release?of=`: lets a `/sink?wait=1` go on."""
    FACTS.tell(request.query["of"], released=True)
    answer(sock, {})


def dies(said: bytes) -> Any:
    """Says this much and closes."""

    def handler(sock: socket.socket, request: Request) -> None:
        sock.sendall(said)
        raise OSError("as it was asked to")

    return handler


def resets(sock: socket.socket, request: Request) -> None:
    """`/reset`: half an answer, then a reset."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    FACTS.wait(request.key, "released")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise OSError("as it was asked to")


def silent(sock: socket.socket, request: Request) -> None:
    """`/silent`: takes the head, and never reads or answers again; until the gateway goes."""
    FACTS.wait(request.key, "released")


def stalls(sock: socket.socket, request: Request) -> None:
    """`/stalls`: half an answer, and nothing more."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    FACTS.wait(request.key, "released")


def refuses_upload(sock: socket.socket, request: Request) -> None:
    """`/early`: 413 with the first bytes of the upload, closing as RFC 9112 section 9.6 has it."""
    sock.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(PIECE):
        pass
    raise OSError("done")


HANDLERS = {
    "/bytes": download,
    "/sink": sink,
    "/facts": tell_facts,
    "/release": release,
    "/small": lambda sock, request: answer(sock, {"ok": True}),
    "/die/chunked": dies(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    "/die/length": dies(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    "/die/head": dies(b"HTTP/1.1 200 OK\r\nConte"),
    "/die/silently": dies(b""),
    "/reset": resets,
    "/silent": silent,
    "/stalls": stalls,
    "/early": refuses_upload,
}


def main() -> None:
    """Serve until the process is ended."""
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(server.getsockname()[1], flush=True)
    while True:
        sock, _ = server.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
