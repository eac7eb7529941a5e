"""A whole case from one source of choices, and a found one as a case of the corpus."""

from __future__ import annotations

from random import Random

from tests.fuzz import reference
from tests.fuzz.mutate import mutated, split
from tests.fuzz.requests_play import Sent
from tests.fuzz.responses_play import TARGET, Told
from tests.wire import cases

_LARGEST = 3000  # bytes of a case that is worth bending: the larger ones are about limits

REQUESTS = [case.send for case in cases.requests() if len(case.send) <= _LARGEST]
_RESPONSES = [b"".join(piece or b"" for piece in case.upstream) for case in cases.responses()]
RESPONSES = [data for data in _RESPONSES if len(data) <= _LARGEST]
ASKED = sorted({case.request.replace(b"TARGET", TARGET.encode()) for case in cases.responses()})


def sent(rng: Random) -> Sent:
    """A client's bytes: a case of the corpus, bent, in segments."""
    data = mutated(rng, rng.choice(REQUESTS), REQUESTS)
    return Sent(tuple(split(rng, data)), turns=rng.choice((0, 1, 3)), leaves=rng.randrange(10) == 0)


def told(rng: Random) -> Told:
    """An upstream's bytes: a case of the corpus, bent, in segments, and what else it may do wrong."""
    data = mutated(rng, rng.choice(RESPONSES), RESPONSES)
    return Told(
        rng.choice(ASKED),
        tuple(split(rng, data)),
        end=rng.choice(("keep", "keep", "close", "reset")),
        late=rng.choice((b"", b"", b"\n", rng.choice(RESPONSES))),
        greeting=b"" if rng.randrange(20) else rng.choice(RESPONSES),
        follow=rng.randrange(3) == 0,
    )


def written(data: bytes) -> str:
    """Bytes in YAML's double quotes."""
    plain = {0x22: '\\"', 0x5C: "\\\\", 0x0D: "\\r", 0x0A: "\\n", 0x09: "\\t"}
    return '"' + "".join(plain.get(b) or (chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}") for b in data) + '"'


def request_case(found: Sent, name: str, why: str) -> str:
    """A line for the corpus, with the outcome that the reference expects."""
    reads = reference.stream(found.data)
    expect = ", ".join("200" if read.kind == "forward" else "400" for read in reads if read.kind != "partial")
    entries = [
        f"{{line: {written(f'{read.method} {read.target}'.encode('latin-1'))}, body: {written(read.body)}}}"
        for read in reads
        if read.kind == "forward"
    ]
    ends = bool(reads) and (reads[-1].close or reads[-1].kind in ("refuse", "broken", "partial"))
    origin = f"[{', '.join(entries)}]" if entries else "nothing"
    return (
        f"- {{id: {name}, reason: {written(why.encode('latin-1', 'replace'))}, expect: [{expect}], "
        f"closed: {str(ends).lower()}, origin: {origin}, send: {written(found.data)}}}"
    )


def response_case(found: Told, name: str, why: str) -> str:
    """A line for the corpus, with the outcome that the reference expects."""
    _, read = reference.answer(found.data, found.method, closed=found.end == "close")
    status = read.status if read.kind == "forward" else 502
    body = f", body: {written(read.body)}" if read.kind == "forward" else ""
    late = f", late: {written(found.late)}" if found.late else ""
    return (
        f"- {{id: {name}, reason: {written(why.encode('latin-1', 'replace'))}, expect: {status}{body}{late}, "
        f"after: {found.end}, method: {found.method}, request: {written(found.request)}, "
        f"upstream: {written(found.data)}}}"
    )
