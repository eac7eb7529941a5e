"""`python -m benchmarks.adaptive --only forward`: which instructions of a request the interpreter runs the slow way.

CPython replaces an instruction that always meets the same kind of thing by one made for that (PEP 659): an attribute in
a slot, a function of Python with the right number of arguments. What meets something else stays as it is and costs two
to ten times as much: a function held in an attribute and called through it, keywords for a class, a member of an enum,
an attribute of an object made in C. After many requests this tells, line by line, where one more request came by such.
Calls of C and of classes cannot be helped in every place; the list shows where a call may be spared.
"""

from __future__ import annotations

import argparse
import asyncio
import dis
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, NamedTuple, cast

from benchmarks.memory_gateway import MemoryGateway
from benchmarks.paths import PATHS, CountedPath
from proxy.registry import Registry

_WARM = 2000  # requests after which what can be specialised is; the interpreter tries again at longer and longer times
_SUFFIX = "_ADAPTIVE"
_VERSION = (3, 11)  # later ones name the instructions otherwise, and specialise more


class Slow(NamedTuple):
    """An instruction that was run as it is, by the function and the line in which it stands."""

    function: str
    line: int
    instruction: str
    about: str


class Watch:
    """Notes which instructions are run.

    :ivar ran: how often each offset of each code object was come by.
    """

    def __init__(self) -> None:
        self.ran: dict[CodeType, Counter[int]] = {}

    def __call__(self, frame: FrameType, event: str, _: object) -> Watch:
        """For `sys.settrace`."""
        if event == "call":
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        elif event == "opcode":
            self.ran.setdefault(frame.f_code, Counter())[frame.f_lasti] += 1
        return self


@contextmanager
def tracing(watch: Watch | None) -> Iterator[None]:
    """Have `watch` trace meanwhile, or nobody, in the place of who does."""
    before = sys.gettrace()
    sys.settrace(cast("Any", watch))
    try:
        yield
    finally:
        sys.settrace(before)


def slow(code: CodeType, ran: Counter[int]) -> Iterator[Slow]:
    """Those of a code object that were run and are not specialised, in their order."""
    before = ""
    for one in dis.get_instructions(code, adaptive=True):
        called = one.opname == f"CALL{_SUFFIX}" and before.startswith("PRECALL") and "PYFUNC" not in before
        if one.opname.endswith(_SUFFIX) and ran[one.offset] and not called:  # the PRECALL before it did the work
            line = (one.positions.lineno if one.positions is not None else 0) or 0
            yield Slow(code.co_qualname, line, one.opname.removesuffix(_SUFFIX), str(one.argrepr or ""))
        if one.opname != "CACHE":
            before = one.opname


async def watched(path: CountedPath, warm: int = _WARM) -> Watch:
    """What one request of a path runs, after many."""
    gateway = await MemoryGateway.open(path.config(), Registry.installed())
    try:
        await gateway.first(path.request(0), path.reply())
        reply = () if path.stored else path.reply()
        with tracing(None):  # who is watched is not specialised
            for number in range(1, warm):
                gateway.exchange(path.request(number), reply)
        watch, last = Watch(), path.request(warm)
        with tracing(watch):
            gateway.exchange(last, reply)
    finally:
        await gateway.close()
    return watch


def main(argv: Sequence[str] | None = None) -> int:
    """Print the list."""
    names = [path.name for path in PATHS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptive", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=names, default="forward", help=f"one of {', '.join(names)}")
    chosen = parser.parse_args(argv)
    if sys.version_info[:2] != _VERSION:
        print(f"this looks at CPython {'.'.join(map(str, _VERSION))}, and here runs {sys.version.split()[0]}")
        return 2
    path = next(path for path in PATHS if path.name == chosen.only)
    for code, ran in asyncio.run(watched(path)).ran.items():
        for found in slow(code, ran):
            print(f"{found.function:<44} {found.line:>5}  {found.instruction:<14} {found.about}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
