"""`python -m benchmarks.budget`: which layer a request's time goes to.

The gateway in memory is sampled by the processor time that it uses, so neither the kernel nor a neighbour is in the
shares, and no function is slowed by being measured. A sample belongs to the Python function that runs, and what that
calls in C belongs to it too: aiohttp's parser is in "heads". With the counted instructions of the path a share becomes
a number of instructions. With `--write` the shares of the path `forward` are drawn into docs/img/.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from benchmarks.baseline import Baseline
from benchmarks.memory_gateway import MemoryGateway
from benchmarks.paths import PATHS, CountedPath
from benchmarks.report import markdown_table
from benchmarks.stats import Spread
from benchmarks.svg import Bar, bar_chart
from proxy.registry import Registry

_ROOT = Path(__file__).parent.parent
_EVERY = 0.0005  # seconds of processor time between two samples
_ROUND = 500  # requests made before the clock is looked at

# The first that a file's name, below the root, begins with.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("heads of requests", ("proxy/frontend/head.py", "proxy/frontend/stamp.py", "proxy/frontend/identity.py")),
    ("heads of answers", ("proxy/upstream/head.py", "proxy/upstream/unread.py")),
    ("client connection", ("proxy/frontend/",)),
    ("sending upstream", ("proxy/upstream/sender.py",)),
    ("upstream connection", ("proxy/upstream/",)),
    ("routing", ("proxy/routing/",)),
    ("engine", ("proxy/engine.py", "proxy/exchange.py", "proxy/plan.py", "proxy/answers.py", "proxy/tally.py")),
    ("plugins", ("proxy/chain.py", "plugins/", "proxy/cache/", "proxy/sanitize/", "proxy/codings/")),
    (
        "fields and bodies",
        ("proxy/headers.py", "proxy/fields.py", "proxy/message.py", "proxy/framing.py", "proxy/body"),
    ),
    ("timers, writes, figures", ("proxy/timers.py", "proxy/corked.py", "proxy/metrics", "proxy/clock.py")),
    ("the rest", ("proxy/",)),
)


def layer(file: str, root: Path = _ROOT) -> str | None:
    """The layer that a source file belongs to; None for what is not the gateway's."""
    inside = file.removeprefix(f"{root}/")
    return next((name for name, files in LAYERS if inside.startswith(files)), None)


class Sampler:
    """Counts in which layer the process is.

    :ivar counts: samples by layer; those of nobody's are not kept.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample meanwhile."""
        before = signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        while frame is not None:  # a library's function counts for who called it
            name = layer(frame.f_code.co_filename)
            if name is not None:
                self.counts[name] += 1
                return
            frame = frame.f_back


async def shares(path: CountedPath, seconds: float) -> dict[str, float]:
    """The share of each layer, the largest first, after that many seconds of requests."""
    gateway, sampler = await MemoryGateway.open(path.config(), Registry.installed()), Sampler()
    try:
        await gateway.first(path.request(0), path.reply())
        reply = () if path.stored else path.reply()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            requests = [path.request(number) for number in range(_ROUND)]
            with sampler.running():
                for request in requests:
                    gateway.exchange(request, reply)
    finally:
        await gateway.close()
    total = sampler.counts.total() or 1
    return {name: count / total for name, count in sampler.counts.most_common()}


def table(found: Mapping[str, float], instructions: int | None) -> str:
    """Shares as a markdown table, with instructions where the whole is known."""
    rows = [
        [name, f"{share:.0%}", "-" if instructions is None else f"{round(share * instructions / 100) * 100:,}"]
        for name, share in found.items()
    ]
    return markdown_table(["layer", "share", "instructions"], rows)


def drawn(path: CountedPath, found: Mapping[str, float]) -> str:
    """The shares as SVG."""
    bars = [Bar(name, Spread(share * 100, share * 100, share * 100, 1), ours=True) for name, share in found.items()]
    return bar_chart(f"Where a request's time goes: {path.title}", "per cent of the gateway's own time", bars)


def main(argv: Sequence[str] | None = None) -> int:
    """Sample, print, and draw if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=[path.name for path in PATHS], default="forward", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=10.0, help="of requests (default 10)")
    parser.add_argument("--write", action="store_true", help="draw docs/img/budget-NAME.svg")
    chosen = parser.parse_args(argv)
    path = next(path for path in PATHS if path.name == chosen.only)
    found = asyncio.run(shares(path, chosen.seconds))
    known = Baseline.read().paths.get(path.name)
    print(table(found, None if known is None else known.instructions))
    if chosen.write:
        (_ROOT / "docs" / "img" / f"budget-{path.name}.svg").write_text(drawn(path, found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
