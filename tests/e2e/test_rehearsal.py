"""What real clients send, written down by one process and judged by another."""

from __future__ import annotations

import gzip
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

Run = Callable[..., Any]


def send(url: str, body: bytes | None = None, **fields: str) -> None:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    with urlopen(Request(url, body, headers), timeout=60) as answer:
        answer.read()


def rehearsed(run: Run, folder: Path, *arguments: str) -> tuple[int, str]:
    process = run("sanitize", "rehearse", "requests.jsonl", *arguments, cwd=folder)
    code = process.ended()
    return code, "\n".join(process.told)


def test_what_was_recorded_is_rehearsed_and_its_exclusions_are_enough(run: Run, config: Path) -> None:
    served = run("serve", "-c", config.name, "--record", "requests.jsonl")
    url = served.ready()
    send(f"{url}/hello?q=red+shoes&password=s3cr3t%27s", Cookie="sid=abcdef123456")
    send(f"{url}/hello?q=1%27+or+%271%27%3D%271")
    coded = gzip.compress(json.dumps({"bio": "hi<script>x</script>", "token": "abc"}).encode())
    send(f"{url}/hello", coded, Content_Type="application/json", Content_Encoding="gzip")
    served.send(signal.SIGTERM)
    assert served.ended() == 0
    written = (config.parent / "requests.jsonl").read_text()
    assert len(written.splitlines()) == 3
    assert not [secret for secret in ("s3cr3t", "abcdef", "abc") if secret in written]
    code, told = rehearsed(run, config.parent)
    assert code == 1
    assert told.startswith("3 requests, 2 would be refused (66.67 %)")
    assert 'hello: {rule: "sql.boolean", where: "query", field: "q"}' in told
    assert 'hello: {rule: "xss.tag", where: "json", field: "bio"}' in told
    code, told = rehearsed(run, config.parent, "--json", "--threshold", "1000")
    assert (code, json.loads(told)["refused"]) == (0, 0)
