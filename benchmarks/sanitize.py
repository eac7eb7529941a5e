"""`python -m benchmarks.sanitize`: what the sanitizer finds, whom it wrongs, and what it costs.

Only the half of the corpora by which no rule was written is measured (`sanitize_corpora.half`), each text as the value
of one query parameter, at paranoia level 1 with the threshold of 5, as a gateway in the mode `block` would judge it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from benchmarks.sanitize_corpora import attacks, fetched, half, harmless
from plugins.sanitize import bodies
from plugins.sanitize.config import Config
from plugins.sanitize.judge import Judge
from plugins.sanitize.plugin import Sanitize
from plugins.sanitize.values import of_pairs
from proxy.api import Headers, Request

_SERIES = 300
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"
PLAIN, SEARCH = "/api/products/42?page=2&sort=name&size=20", "/search?q=red+shoes&lang=en"
SUSPICIOUS = (
    "O'Brien & Sons (Dublin)",
    "it's 5 o'clock -- late; call me",
    "1' OR '1'='1",
    "<img src=x onerror=alert(1)>",
    "../../etc/passwd",
    "; cat /etc/passwd",
)


def measured(corpora: Mapping[str, list[str]], which: int) -> dict[str, list[str]]:
    """The texts of one half."""
    return {kind: [text for text in texts if half(text) == which] for kind, texts in corpora.items()}


def refused(judge: Judge, text: str) -> bool:
    """Whether a request with the text in a query parameter would be refused."""
    query = "q=" + quote(text, safe="", errors="surrogatepass")
    return judge.score(judge.look(of_pairs("query", query))) >= judge.threshold


def rates(judge: Judge, corpora: Mapping[str, list[str]]) -> list[tuple[str, int, int]]:
    """For each kind: its name, how many would be refused, and of how many."""
    return [(kind, sum(refused(judge, text) for text in texts), len(texts)) for kind, texts in corpora.items()]


def table(rows: Iterable[tuple[str, int, int]]) -> str:
    """Rates as a table in Markdown."""
    lines = ["| corpus | texts | refused |", "|---|---|---|"]
    lines += [f"| {name} | {total} | {100 * count / max(total, 1):.2f} % |" for name, count, total in rows]
    return "\n".join(lines)


def microseconds(work: Callable[[], object], rounds: int = 20) -> float:
    """Processor time of one call: the lowest of many short series, for whatever else runs can only add to it."""
    series = []
    for _ in range(_SERIES):
        began = time.process_time()
        for _ in range(rounds):
            work()
        series.append((time.process_time() - began) / rounds * 1e6)
    return min(series)


def costs() -> str:
    """What looking costs, as a table in Markdown."""
    plugin = Sanitize(Config())
    plain = request(PLAIN)
    search = request(SEARCH)
    data = document()
    rows = [
        ("a plain request: target, User-Agent, Referer, Cookie", microseconds(lambda: plugin._look(plain))),
        ("one with `q=red+shoes`", microseconds(lambda: plugin._look(search))),
        *((f"one with `{text}`", _suspicious(plugin, text)) for text in SUSPICIOUS),
        ("a JSON body of 10 KB", microseconds(lambda: _body(plugin, data), 1)),
    ]
    rows.append(("for comparison, Python's `sum(range(1000))`", microseconds(lambda: sum(range(1000)))))
    lines = ["| what | processor time |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {cost:.1f} us |" for name, cost in rows)])


def _suspicious(plugin: Sanitize, text: str) -> float:
    odd = request("/search?q=" + quote(text))
    return microseconds(lambda: plugin._look(odd))


def request(target: str) -> Request:
    """What a browser sends for a target, with its fields unread, as the front end gives them."""
    fields = {"User-Agent": _AGENT, "Referer": "https://example.com/", "Cookie": "session=0123456789abcdef"}
    wire = [(name.encode(), value.encode()) for name, value in fields.items()]
    return Request("GET", target, host="example.com", headers=Headers.unread(wire))


def document() -> bytes:
    """A list of goods in JSON, 10 KB, some of whose names hold what filters trip over."""
    names = (
        "Red shoes",
        "Blue hat, large",
        "Rock'n'roll (live)",
        "Trousers",
        "Ann & Bob",
        "Coat 2024-05",
        "Scarf",
        "Belt",
    )
    items = [
        {
            "id": number,
            "name": f"{names[number % 8]} {number}",
            "tags": ["sale", "new-in"],
            "price": 17.5,
            "stock": True,
        }
        for number in range(110)
    ]
    return json.dumps(items).encode()


def _body(plugin: Sanitize, data: bytes) -> list[object]:
    return list(plugin._judge.look(bodies.values("json", data, "application/json", plugin._judge.clears)))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sanitize", description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path(".bench-corpora"), help="where packages are unpacked")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="0: the one that rules were written by")
    parser.add_argument(
        "--misses", metavar="KIND", help="print what of a kind of attack is not refused, or is by mistake"
    )
    args = parser.parse_args(argv)
    judge = Judge(Config(mode="block"))
    cache = fetched(args.cache)
    bad, good = measured(attacks(cache), args.half), measured(harmless(cache), args.half)
    if args.misses:
        texts = bad.get(args.misses, good.get(args.misses, []))
        sys.stdout.writelines(f"{text!r}\n" for text in texts if refused(judge, text) == (args.misses in good))
        return 0
    innocent = rates(judge, good)
    innocent.append(("all harmless", sum(row[1] for row in innocent), sum(row[2] for row in innocent)))
    for part in (table(rates(judge, bad)), table(innocent), costs()):
        print(f"{part}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
