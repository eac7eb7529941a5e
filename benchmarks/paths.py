"""The fixed paths whose instructions are counted, as data: a new path is a new row here and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import idle_chain, other_routes
from benchmarks.scenarios import FIXED_BODY, KIB, POSTED_BODY, SMALL_BODY

_CONFIGS = Path(__file__).parent / "configs"
_PIECE = 32 * KIB  # of a body, as it is read from a socket


@dataclass(frozen=True, slots=True)
class CountedPath:
    """One way through the gateway.

    `plugins` and `routes` are YAML for the configuration; None leaves the default chain. `answer` is the body of the
    upstream's answers, None when it is not asked. Where `stored`, all requests are for one target, whose answer the
    first of them brought into the cache.
    """

    name: str
    title: str
    plugins: str | None = "[]"
    route: str = "{name: all, upstream: origin}"
    others: str = ""
    body: bytes = b""
    answer: bytes | None = SMALL_BODY
    stored: bool = False

    def config(self) -> str:
        """The YAML text of its gateway."""
        chain = "" if self.plugins is None else f"plugins: {self.plugins}\n"
        return (
            "listen: [http://127.0.0.1:8800]\nadmin: false\nupstreams: {origin: {targets: [http://127.0.0.1:8801]}}\n"
            f"{chain}routes:{self.others}\n  - {self.route}\n"
        )

    @property
    def expected(self) -> bytes:
        """The body that the client gets."""
        return FIXED_BODY if self.answer is None else self.answer

    def request(self, number: int) -> tuple[bytes, ...]:
        """The pieces of one request, whose query, id and cookie no other has."""
        page = 0 if self.stored else number
        head = (
            f"{'POST' if self.body else 'GET'} /json?page=cafe0000{page:08x} HTTP/1.1\r\nHost: 127.0.0.1:8800\r\n"
            f"User-Agent: wrk\r\nAccept: application/json\r\nX-Request-ID: cafe0000{number:024x}\r\n"
            f"Cookie: session=cafe0000{number:016x}; theme=dark\r\n"
        )
        if self.body:
            head += f"Content-Type: application/octet-stream\r\nContent-Length: {len(self.body)}\r\n"
        return (head.encode() + b"\r\n" + self.body,)

    def reply(self) -> tuple[bytes, ...]:
        """The pieces of the upstream's answer."""
        if self.answer is None:
            return ()
        head = (
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self.answer)}\r\nConnection: keep-alive\r\n\r\n"
        )
        whole = head.encode() + self.answer
        return tuple(whole[at : at + _PIECE] for at in range(0, len(whole), _PIECE))


_RESPOND = f'{{name: all, plugins: {{respond: {{status: 200, body: "{FIXED_BODY.decode()}"}}}}}}'

PATHS: tuple[CountedPath, ...] = (
    CountedPath("forward", "GET through a bare chain, an answer of 0.7 KB"),
    CountedPath("default-chain", "the same through the default chain", plugins=None),
    CountedPath("post-4k", "POST of 4 KiB through a bare chain", body=b"x" * 4 * KIB, answer=POSTED_BODY),
    CountedPath("answer-64k", "GET through a bare chain, an answer of 64 KiB", answer=b"y" * 64 * KIB),
    CountedPath("respond", "a fixed answer of the gateway's own", route=_RESPOND, answer=None),
    CountedPath("cache-hit", "an answer of 0.7 KB from the cache", plugins="[{cache: {force_ttl: 1h}}]", stored=True),
    CountedPath(
        "plugins", "forward through twenty plugins with one hook each that does nothing", idle_chain("idle.py")
    ),
    CountedPath("plugins-thrice", "the same with three hooks each", idle_chain("idle3.py")),
    CountedPath("routes", "forward by the last of 1,000 routes", others=other_routes()),
)

# name, the path that it is held against, and how much of that it may take at most. The kernel's share, which is the
# same for both, is in neither, so these are stricter than ratios of rates.
BARS: tuple[tuple[str, str, float], ...] = (
    ("plugins", "forward", 1.05),
    ("plugins-thrice", "forward", 1.12),
    ("routes", "forward", 1.10),
)
