"""`python -m benchmarks.pooling`: what kept connections to the upstream are worth.

Two gateways that differ in one setting stand before one origin, without TLS and with it: one keeps its connections, the
other makes a new one for each request (`pool: {max_requests: 1}`). They take turns under 1, 10 and 100 clients that
each wait for their answer before they ask again, so the mean latency is the clients' time over the answers they got.
nginx stands beside them in the same two ways: what connections cost differs from machine to machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from benchmarks.load import missing_tool, run_load
from benchmarks.machine import placement, processor
from benchmarks.origin import fill, origin_kind
from benchmarks.probe import NotReady, wait_for
from benchmarks.process import LOAD_CORE, PROXY_CORE, Child, free_port
from benchmarks.report import markdown_table
from benchmarks.sample import RunFailed, Sample
from benchmarks.scenarios import SMALL_BODY, Scenario
from benchmarks.stats import Spread, spread
from benchmarks.svg import Bar, bar_chart

_HERE = Path(__file__).parent
_PLOT = _HERE.parent / "docs" / "pooling.svg"
_TABLE = _HERE / "pooling.md"
_POOLS = {"pooled": "{max_connections: 200}", "new": "{max_connections: 200, max_requests: 1}"}
_NGINX = {"pooled": ("keepalive 200; keepalive_requests 100000000;", ""), "new": ("", "close")}
_SUBJECT = "passerelle"
PROXIES = (_SUBJECT, "nginx")
SCHEMES = ("http", "https")
CLIENTS = (1, 10, 100)
CLAIM = 0.5  # share of the mean latency that pooling saves, at least
EXIT_FINE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2

Say = Callable[[str], None]


@dataclass(slots=True)
class Case:
    """One number of clients of one proxy over one scheme: the runs of both ways, in the order they were made in."""

    scheme: str
    clients: int
    proxy: str = _SUBJECT
    runs: dict[str, list[Sample]] = field(default_factory=lambda: {way: [] for way in _POOLS})

    @property
    def name(self) -> str:
        """For people."""
        what = "TLS" if self.scheme == "https" else "plain"
        who = "" if self.proxy == _SUBJECT else f"{self.proxy}: "
        return f"{who}{what}, {self.clients} client{'' if self.clients == 1 else 's'}"

    def mean(self, way: str) -> Spread | None:
        """Milliseconds, by the law that clients in a closed loop obey: time = clients / rate."""
        return spread([1000 * self.clients / sample.rate for sample in self.runs[way]])

    def p99(self, way: str) -> Spread | None:
        """Milliseconds."""
        return spread([sample.p99_ms for sample in self.runs[way]])

    def saved(self) -> Spread | None:
        """The share of the mean latency that pooling saves, round by round, so that what disturbs both cancels."""
        return spread([1 - new.rate / pooled.rate for pooled, new in self._rounds()])

    def saved_p99(self) -> Spread | None:
        """The same of the 99th percentile."""
        return spread([1 - pooled.p99_ms / new.p99_ms for pooled, new in self._rounds() if new.p99_ms])

    def _rounds(self) -> list[tuple[Sample, Sample]]:
        return list(zip(self.runs["pooled"], self.runs["new"], strict=False))

    def verdict(self) -> str:
        """The claim held against the figures."""
        saved = self.saved()
        if saved is None:
            return f"not judged: {self.name}: no figures"
        if self.proxy != _SUBJECT:
            return f"for comparison: {self.name}: {saved.median:.0%} less"
        met = saved.median >= CLAIM
        return f"{'met' if met else 'MISSED'}: {self.name}: {saved.median:.0%} less, claimed are {CLAIM:.0%}"


@contextmanager
def running(directory: Path) -> Iterator[dict[tuple[str, str, str], tuple[Child, int]]]:
    """Origin and gateways for the length of the block; yields process and port by proxy, scheme and way.

    Raises:
        NotReady: when one of them does not answer in time.
    """
    plain, tls = free_port(), free_port()
    ca = _certificates(directory)
    config = directory / "pooling-origin.conf"
    values = {"PORT": plain, "TLS_PORT": tls, "DIR": directory, "SMALL": SMALL_BODY.decode()}
    config.write_text(fill(config.name, **values), encoding="utf-8")
    with ExitStack() as stack:
        argv = ["nginx", "-p", str(directory), "-c", str(config)]
        origin = stack.enter_context(Child(argv, core=LOAD_CORE, log=directory / "origin.log"))
        wait_for(origin, plain, "/json", len(SMALL_BODY))
        targets = {"http": f"http://127.0.0.1:{plain}", "https": f"https://127.0.0.1:{tls}"}
        yield {
            (proxy, scheme, way): stack.enter_context(start(directory, targets[scheme], way, ca))
            for proxy, start in ((_SUBJECT, _gateway), ("nginx", _nginx))
            for scheme in SCHEMES
            for way in _POOLS
        }


def _certificates(directory: Path) -> Path:
    """Write the origin's, and return the file of the authority."""
    authority = trustme.CA()
    made = authority.issue_cert("origin.test")
    made.cert_chain_pems[0].write_to_path(directory / "origin.pem")
    made.private_key_pem.write_to_path(directory / "origin.key")
    authority.cert_pem.write_to_path(directory / "authority.pem")
    return directory / "authority.pem"


@contextmanager
def _gateway(directory: Path, target: str, way: str, ca: Path) -> Iterator[tuple[Child, int]]:
    port, name = free_port(), f"{target.partition(':')[0]}-{way}"
    tls = f"    tls: {{ca: {ca}, server_name: origin.test}}" if target.startswith("https") else ""
    text = fill("passerelle-pooling.yaml", PORT=port, TARGET=target, POOL=_POOLS[way], TLS=tls)
    config = directory / f"{name}.yaml"
    config.write_text(text, encoding="utf-8")
    argv = [str(Path(sys.executable).parent / "passerelle"), "serve", "-c", str(config)]
    env = {"PYTHONPATH": str(_HERE.parent)}
    with Child(argv, core=PROXY_CORE, log=directory / f"{name}.log", env=env) as child:
        wait_for(child, port, "/json", len(SMALL_BODY))
        yield child, port


@contextmanager
def _nginx(directory: Path, target: str, way: str, ca: Path) -> Iterator[tuple[Child, int]]:
    scheme, _, authority = target.partition("://")
    port, name = free_port(), f"nginx-{scheme}-{way}"
    keepalive, connection = _NGINX[way]
    values = {"PORT": port, "DIR": directory, "NAME": name, "TARGET": authority, "SCHEME": scheme, "CA": ca}
    text = fill("pooling-nginx.conf", **values, KEEPALIVE=keepalive, CONNECTION=connection)
    config = directory / f"{name}.conf"
    config.write_text(text, encoding="utf-8")
    argv = ["nginx", "-p", str(directory), "-c", str(config)]
    with Child(argv, core=PROXY_CORE, log=directory / f"{name}.log") as child:
        wait_for(child, port, "/json", len(SMALL_BODY))
        yield child, port


def measure(runs: int, seconds: int, say: Say) -> list[Case]:
    """Measure every case, both ways by turns.

    Raises:
        NotReady: when origin or gateway do not come up.
        RunFailed: when the load breaks off, or an answer is not what was asked for.
    """
    cases = [Case(scheme, clients, proxy) for proxy in PROXIES for scheme in SCHEMES for clients in CLIENTS]
    with tempfile.TemporaryDirectory(prefix="passerelle-pooling-") as name, running(Path(name)) as gateways:
        for case in cases:
            for way in _POOLS:
                _run(case, way, gateways[case.proxy, case.scheme, way], 1)  # warm-up, thrown away
            for turn in range(runs):
                for way in sorted(_POOLS, reverse=bool(turn % 2)):
                    case.runs[way].append(_run(case, way, gateways[case.proxy, case.scheme, way], seconds))
            say(case.verdict())
    return cases


def _run(case: Case, way: str, gateway: tuple[Child, int], seconds: int) -> Sample:
    child, port = gateway
    scenario = Scenario(case.name, way, "/json", len(SMALL_BODY), (), connections=case.clients)
    return run_load(scenario, port, seconds, child.cpu_seconds)


def table(cases: Sequence[Case]) -> str:
    """The figures as markdown."""
    header = ["case", "mean, pooled", "mean, new", "less", "spread", "p99, pooled", "p99, new", "less", "spread"]
    return markdown_table(header, [_row(case) for case in cases])


def _row(case: Case) -> list[str]:
    cells = [case.name]
    for measured, saved in ((case.mean, case.saved()), (case.p99, case.saved_p99())):
        for way in _POOLS:
            found = measured(way)
            cells.append("-" if found is None else f"{found.median:.2f} ms")
        cells += ["-", "-"] if saved is None else [f"{saved.median:.0%}", f"{saved.low:.0%} to {saved.high:.0%}"]
    return cells


def plot(cases: Sequence[Case]) -> str:
    """The figures as SVG: the latency that is left, in percent of that without a pool."""
    bars = []
    for case in cases:
        for what, saved, ours in (("mean", case.saved(), True), ("p99", case.saved_p99(), False)):
            if saved is not None:
                least, most = 100 * (1 - saved.high), 100 * (1 - saved.low)
                left = Spread(100 * (1 - saved.median), least, most, saved.count)
                bars.append(Bar(f"{case.name}: {what}", left, ours and case.proxy == _SUBJECT))
    title = "Latency with kept connections to the upstream"
    return bar_chart(title, "in % of the latency with a new connection for each request; less is better", bars)


def report(cases: Sequence[Case], runs: int, seconds: int) -> str:
    """The page with the figures."""
    about = (
        f"Written by `python -m benchmarks.pooling`, {runs} alternating runs of {seconds} s. Mean and 99th percentile "
        "of the latency of a small answer, with kept connections to the upstream and with a new one for each request "
        "(`pool: {max_requests: 1}`), all else being equal; then the same of nginx before the same origin. "
        "Medians; `less` is what pooling saves, round by round, with its spread."
    )
    machine = f"{processor()}; {placement()}; origin: nginx"
    verdicts = "\n".join(f"- {case.verdict()}" for case in cases)
    return f"# What a pool is worth\n\n{about}\n\n{machine}\n\n{table(cases)}\n\n{verdicts}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write if asked to; the exit code is 1 only when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pooling", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each way and case (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a run (default 3)")
    parser.add_argument("--write", action="store_true", help="write docs/pooling.svg and benchmarks/pooling.md")
    chosen = parser.parse_args(argv)
    if (missing := missing_tool()) is not None or origin_kind() != "nginx":
        print(missing or "nginx is not installed: the origin needs it")
        return EXIT_USAGE
    try:
        cases = measure(chosen.runs, chosen.seconds, lambda line: print(line, flush=True))
    except (NotReady, RunFailed) as error:
        print(f"not measured: {error}")
        return EXIT_FAILED
    print(f"\n{table(cases)}")
    if chosen.write:
        _TABLE.write_text(report(cases, chosen.runs, chosen.seconds), encoding="utf-8")
        _PLOT.write_text(plot(cases), encoding="utf-8")
    return EXIT_FINE


if __name__ == "__main__":
    sys.exit(main())
