"""`python -m benchmarks.compression`: what each coding and level saves and costs, and what a gateway makes of it.

First every coder codes the same answers (`corpus.py`) on one core, and nginx passes them on with its own gzip: bytes
saved, and CPU for each megabyte, for nginx what it takes more than without gzip. Then both gateways code answers of
64 KiB of JSON at the same level under load, by turns. Both are zlib, so what differs is what is around it.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.corpus import KINDS, PIECE, Document, corpus, of_size, sources
from benchmarks.load import missing_tool, run_load
from benchmarks.machine import placement, processor
from benchmarks.origin import origin_kind, running_origin
from benchmarks.peers import Nginx, Passerelle, Peer, Plan, program
from benchmarks.probe import NotReady, wait_for
from benchmarks.process import Child
from benchmarks.report import markdown_table
from benchmarks.sample import RunFailed, Sample
from benchmarks.scenarios import Scenario
from benchmarks.stats import Spread, ratio, spread
from benchmarks.svg import Bar, bar_chart
from plugins.compress.coders import LEVELS, Coder

_HERE = Path(__file__).parent
_PLOT = _HERE.parent / "docs" / "img" / "compression.svg"
_PAGE = _HERE / "compression.md"
LEVEL = LEVELS["gzip"]
MEASURED = {"gzip": range(1, 10), "br": range(8), "zstd": range(1, 10)}
NGINX_LEVELS = (1, LEVEL, 6, 9)
SAVED = 0.7  # of JSON and HTML, by gzip at its usual level
RATE = 0.9  # of nginx's answers a second, and of those for each second of CPU: neighbours disturb the former more
EXIT_FINE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


class NginxGzip(Nginx):
    """nginx that codes what it passes on."""

    def __init__(self, level: int) -> None:
        self.level = level  # 0: it codes nothing

    def argv(self, plan: Plan) -> list[str]:
        coding = f"gzip on; gzip_proxied any; gzip_types *; gzip_min_length 500; gzip_comp_level {self.level};"
        buffers = f"proxy_buffer_size 16k; proxy_buffers 16 64k; {coding if self.level else ''}"
        return [program("nginx"), "-p", str(plan.directory), "-c", str(plan.write("nginx.conf", BUFFERS=buffers))]


class PasserelleCompress(Passerelle):
    """The gateway with nothing but compression."""

    def _write(self, plan: Plan) -> Path:
        return plan.write("passerelle-forward.yaml", CHAIN="plugins: [compress]")


@dataclass(frozen=True, slots=True)
class Row:
    """One coder at one level: the bytes that went in and came out by kind, and the CPU seconds that it took."""

    name: str
    sizes: dict[str, tuple[int, int]]
    seconds: float

    def saved(self, kind: str) -> float:
        """The share of the bytes of a kind that is saved."""
        before, after = self.sizes[kind]
        return 1 - after / before

    @property
    def saved_of_all(self) -> float:
        """The share of all bytes."""
        return 1 - sum(after for _, after in self.sizes.values()) / sum(before for before, _ in self.sizes.values())

    @property
    def cost(self) -> float:
        """Milliseconds of CPU for each megabyte."""
        return self.seconds * 1e9 / sum(before for before, _ in self.sizes.values())


@dataclass(slots=True)
class Findings:
    """All figures of a run."""

    rows: list[Row] = field(default_factory=list)
    load: dict[str, list[Sample]] = field(default_factory=dict)

    def rate(self, name: str) -> Spread | None:
        """Answers a second."""
        return spread([sample.rate for sample in self.load.get(name, [])])

    def cpu(self, name: str) -> Spread | None:
        """Microseconds of CPU for an answer."""
        return spread([sample.cpu_per_request_us or 0.0 for sample in self.load.get(name, [])])

    def verdicts(self) -> list[str]:
        """The claims held against the figures."""
        usual = next(row for row in self.rows if row.name == f"gzip {LEVEL}")
        told = [_verdict(usual, kind) for kind in ("JSON", "HTML")]
        share = ratio(self.rate("passerelle"), self.rate("nginx"))
        effort = ratio(self.cpu("nginx"), self.cpu("passerelle"))
        if share is None or effort is None:
            return [*told, "not judged: no load"]
        met = "met" if min(share, effort) >= RATE else "MISSED"
        seen = f"{share:.2f} of nginx's answers a second, {effort:.2f} of those for each second of CPU"
        return [*told, f"{met}: 64 KiB at gzip {LEVEL}: {seen}; claimed are {RATE} of both"]


def _verdict(usual: Row, kind: str) -> str:
    met = "met" if usual.saved(kind) >= SAVED else "MISSED"
    return f"{met}: {kind} by {usual.name}: {usual.saved(kind):.1%} saved, claimed are {SAVED:.0%}"


def measured(coder: Coder, documents: Sequence[Document], rounds: int) -> Row:
    """Code every document; the least CPU time of several rounds."""
    sizes = dict.fromkeys(KINDS, (0, 0))
    best = float("inf")
    for turn in range(rounds):
        spent = 0.0
        for one in documents:
            before = time.thread_time()
            coded = coder.whole(one.data)
            spent += time.thread_time() - before
            if not turn:
                sizes[one.kind] = _more(sizes[one.kind], len(one.data), len(coded))
        best = min(best, spent)
    return Row(f"{coder.name} {coder.level}", sizes, best)


def _more(sizes: tuple[int, int], before: int, after: int) -> tuple[int, int]:
    return sizes[0] + before, sizes[1] + after


def fetched(
    child: Child, port: int, documents: Sequence[Document], rounds: int
) -> tuple[dict[str, tuple[int, int]], float]:
    """Get every document coded by nginx, and what that took of its CPU, in seconds a round."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    before = child.cpu_seconds() or 0.0
    for _ in range(rounds):
        sizes = dict.fromkeys(KINDS, (0, 0))
        for number, one in enumerate(documents):
            connection.request("GET", f"/{number}", headers={"Accept-Encoding": "gzip"})
            sizes[one.kind] = _more(sizes[one.kind], len(one.data), len(connection.getresponse().read()))
    connection.close()
    return sizes, ((child.cpu_seconds() or 0.0) - before) / rounds


def coders(documents: Sequence[Document], rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Every coding at every level."""
    rows = []
    for name, levels in MEASURED.items():
        for level in levels:
            rows.append(measured(Coder(name, level), documents, rounds))
            say(" ".join(_cells(rows[-1])))
    return rows


def nginx_rows(directory: Path, origin: int, documents: Sequence[Document], rounds: int) -> list[Row]:
    """nginx's gzip; what it takes to pass answers on as they are is not counted."""
    found: dict[int, tuple[dict[str, tuple[int, int]], float]] = {}
    for level in (0, *NGINX_LEVELS):
        home = directory / f"level{level}"
        home.mkdir()
        with NginxGzip(level).running(home, origin, "forward") as (child, port):
            wait_for(child, port, "/0", len(documents[0].data))
            found[level] = fetched(child, port, documents, rounds)
    plain = found.pop(0)[1]
    return [Row(f"nginx gzip {level}", sizes, max(spent - plain, 0.0)) for level, (sizes, spent) in found.items()]


def loaded(
    directory: Path, origin: int, size: int, effort: tuple[int, int], say: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Both gateways under load, by turns; a third row shows what a browser gets of ours."""
    peers: tuple[tuple[str, Peer, str], ...] = (
        ("passerelle", PasserelleCompress(), "gzip"),
        ("nginx", NginxGzip(LEVEL), "gzip"),
        ("passerelle, zstd", PasserelleCompress(), "gzip, deflate, br, zstd"),
    )
    samples: dict[str, list[Sample]] = {}
    for turn in range(effort[0]):
        for name, peer, accept in peers if turn % 2 else peers[::-1]:
            with peer.running(directory, origin, "forward") as (child, port):
                wait_for(child, port, "/large", size)
                _load(child, port, accept, 1)
                samples.setdefault(name, []).append(_load(child, port, accept, effort[1]))
                say(f"{name}: {samples[name][-1].rate:.0f} answers a second")
    return samples


def _load(child: Child, port: int, accept: str, seconds: int) -> Sample:
    scenario = Scenario("compression", "", "/large", PIECE, (), heads="identical", accept_encoding=accept)
    return really_coded(run_load(scenario, port, seconds, child.cpu_seconds))


def really_coded(sample: Sample) -> Sample:
    """Return the sample of a load.

    Raises:
        RunFailed: when the answers were too large to have been coded: passing them on is cheap, and proves nothing.
    """
    size = sample.bytes / sample.requests
    if size > PIECE * (1 - SAVED):
        raise RunFailed(f"the answers were not coded: {size:.0f} bytes each")
    return sample


def measure(effort: tuple[int, int], rounds: int, say: Callable[[str], None]) -> tuple[Findings, list[Document]]:
    """Measure everything.

    Raises:
        NotReady: when the origin or a gateway does not come up.
        RunFailed: when the load breaks off.
    """
    documents = corpus()
    findings = Findings(coders(documents, rounds, say))
    with tempfile.TemporaryDirectory(prefix="passerelle-compression-") as name:
        directory = Path(name)
        with running_origin(directory) as origin:
            for number, one in enumerate(documents):
                (directory / "files" / str(number)).write_bytes(one.data)
            (directory / "files" / "large").write_bytes(of_size(documents, "JSON", PIECE))
            findings.rows += nginx_rows(directory, origin, documents, rounds)
            findings.load = loaded(directory, origin, PIECE, effort, say)
    return findings, documents


def _cells(row: Row) -> list[str]:
    saved = [f"{row.saved(kind):.1%}" for kind in KINDS]
    return [row.name, *saved, f"{row.saved_of_all:.1%}", f"{row.cost:.1f}"]


def table(rows: Sequence[Row]) -> str:
    """The codings as markdown."""
    return markdown_table(["coding and level", *KINDS, "all", "CPU ms/MB"], [_cells(row) for row in rows])


def load_table(findings: Findings) -> str:
    """The gateways as markdown."""
    rows = []
    nginx = findings.rate("nginx")
    for name, samples in findings.load.items():
        rate = findings.rate(name)
        share, cpu = ratio(rate, nginx), findings.cpu(name)
        if rate is not None and cpu is not None:
            seen = f"{rate.low:.0f} to {rate.high:.0f}"
            rows.append(
                [name, f"{rate.median:.0f}", seen, f"{share or 0:.2f}", f"{cpu.median:.0f}", f"{samples[0].p99_ms:.1f}"]
            )
    return markdown_table(["gateway", "answers/s", "spread", "of nginx", "CPU us/answer", "p99 ms"], rows)


def plot(rows: Sequence[Row]) -> str:
    """What is left of the bytes, for the levels that are used without a word, and their neighbours."""
    shown = [
        f"gzip {LEVEL}",
        f"nginx gzip {LEVEL}",
        f"br {LEVELS['br']}",
        f"zstd {LEVELS['zstd']}",
        "gzip 1",
        "gzip 9",
        "br 7",
        "zstd 9",
    ]
    bars = []
    for row in rows:
        if row.name in shown:
            left, ours = (
                100 * (1 - row.saved_of_all),
                row.name in (f"gzip {LEVEL}", f"br {LEVELS['br']}", f"zstd {LEVELS['zstd']}"),
            )
            bars.append(Bar(f"{row.name} ({row.cost:.0f} ms/MB)", Spread(left, left, left, 1), ours))
    return bar_chart(
        "What compression leaves of JSON, HTML, JS and CSS",
        "in % of the bytes; CPU beside the name; less is better",
        bars,
    )


def report(findings: Findings, documents: list[Document], effort: tuple[int, int]) -> str:
    """The page with the figures."""
    about = (
        "Written by `python -m benchmarks.compression`. Bytes saved by kind, and CPU of one core for each megabyte; "
        f"nginx's is what it takes more than without gzip. Then 64 KiB of JSON at gzip {LEVEL} under load, {effort[0]} "
        f"alternating runs of {effort[1]} s; `zstd` is what the same gateway gives a browser."
    )
    named = "\n".join(f"- {kind}: {', '.join(found)}" for kind, found in sources(documents).items())
    verdicts = "\n".join(f"- {line}" for line in findings.verdicts())
    parts = [
        about,
        f"{processor()}; {placement()}; origin: nginx",
        table(findings.rows),
        load_table(findings),
        verdicts,
    ]
    return "\n\n".join(["# What compression saves and costs", *parts, f"Sources:\n\n{named}\n"])


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write if asked to; the exit code is 1 only when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compression", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each gateway (default 5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a run (default 4)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each coder (default 5)")
    parser.add_argument(
        "--write", action="store_true", help="write docs/img/compression.svg and benchmarks/compression.md"
    )
    chosen = parser.parse_args(argv)
    if (missing := missing_tool()) is not None or origin_kind() != "nginx":
        print(missing or "nginx is not installed")
        return EXIT_USAGE
    effort = (chosen.runs, chosen.seconds)
    try:
        findings, documents = measure(effort, chosen.rounds, lambda line: print(line, flush=True))
    except (NotReady, RunFailed) as error:
        print(f"not measured: {error}")
        return EXIT_FAILED
    page = report(findings, documents, effort)
    print(page)
    if chosen.write:
        _PAGE.write_text(page, encoding="utf-8")
        _PLOT.write_text(plot(findings.rows), encoding="utf-8")
    return EXIT_FINE


if __name__ == "__main__":
    sys.exit(main())
