"""`passerelle status`: is a gateway ready, what does it serve, and how did the last reload go?"""

from __future__ import annotations

import argparse
import http.client
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proxy.cli.configuration import NoConfiguration, add_config, find_config
from proxy.cli.failures import Exit, say

DEFAULT = "http://127.0.0.1:9090"
TOKEN = "PASSERELLE_ADMIN_TOKEN"  # noqa: S105 (the name of a variable)

_PATIENCE = 10.0  # seconds
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


class Unreachable(Exception):
    """There is no answer that could be shown; the words say why."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    about = f"{__doc__} The token is taken from {TOKEN}, or from the configuration file."
    parser = commands.add_parser("status", help="tell how a running gateway is doing", description=about)
    parser.add_argument("--admin", metavar="URL", help=f"default: what the file says, else {DEFAULT}")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print what the admin API says")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, and tell; 1 when it is not ready or does not answer."""
    url, token = _where(args)
    try:
        found = {"admin": url, **_ask(url, token, "status"), **_ask(url, token, "upstreams")}
    except Unreachable as error:
        say(f"{url}: {error}")
        return Exit.BAD_CONFIGURATION
    print(json.dumps(found, indent=2) if args.json else "\n".join(_lines(found)))
    return Exit.FINE if found["ready"] else Exit.BAD_CONFIGURATION


def _where(args: argparse.Namespace) -> tuple[str, str]:
    """The admin listener's URL and its token. The file's token goes to the file's listener and nowhere else."""
    told, token = args.admin, os.environ.get(TOKEN, "")
    try:
        written, secret = _written(find_config(args.config))
    except NoConfiguration:
        written, secret = DEFAULT, ""
    url = (told or written).rstrip("/")
    return url, token or (secret if url == written else "")


def _written(file: Path) -> tuple[str, str]:
    """What a file says of its admin listener, even when the rest of it is wrong, which is when one asks."""
    from proxy.settings import Admin, Document, validate_model
    from proxy.settings.include import Tree

    tree = Tree(os.environ)
    tree.read(file)
    said = Document.of(tree.root).data.get("admin", {}) if tree.root is not None else {}
    admin, _ = validate_model(Admin, said if isinstance(said, dict) else {}, (), Document())
    return (DEFAULT, "") if admin is None else (admin.listen, admin.token)


def _ask(url: str, token: str, what: str) -> dict[str, Any]:
    """One answer of the API. :raises Unreachable: when there is none, or another one."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreachable('this is no URL; write it as "http://127.0.0.1:9090"')
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with closing(kind(parts.hostname, parts.port, timeout=_PATIENCE)) as connection:
            connection.request("GET", f"/api/v1/{what}", headers=fields)
            answer = connection.getresponse()
            return _read(answer.status, answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(f"no gateway answers there: {words}") from error


def _read(status: int, body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if status == http.client.UNAUTHORIZED:
        raise Unreachable(f"a token is needed; set {TOKEN}")
    if status != http.client.OK or not isinstance(said, dict):
        detail = said.get("detail", "") if isinstance(said, dict) else "no admin API is there"
        raise Unreachable(f"{status}: {detail}")
    return said


# for people


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"passerelle {found['version']}: {found['state']} for {_ago(found['uptime_seconds'])}"
    yield ""
    yield f"revision     {found['revision']}"
    yield f"listens on   {', '.join(found['listen'])}"
    yield f"requests     {found['requests_active']} under way, {found['requests_total']} done"
    yield f"connections  {found['connections']}"
    yield from _reload(found["reload"])
    for upstream in found["upstreams"]:
        yield ""
        yield from _upstream(upstream)


def _reload(last: dict[str, Any] | None) -> Iterator[str]:
    if last is None:
        return
    if last["ok"]:
        yield f"last reload  done ({last['cause']}): {'; '.join(last['changes']) or 'nothing was different'}"
        return
    yield f"last reload  REFUSED ({last['cause']})"
    for problem in last["problems"]:
        place = ":".join(str(problem[key]) for key in ("file", "line", "column") if problem[key])
        told = "; ".join(filter(None, (problem["message"], problem["remedy"])))
        yield f"             {f'{place}: ' if place else ''}{told}"


def _upstream(one: dict[str, Any]) -> Iterator[str]:
    busy, idle, most = (one["connections"][key] for key in ("busy", "idle", "max"))
    breaker = "" if one["breaker"] in ("off", "closed") else f", BREAKER {one['breaker'].upper()}"
    yield f"upstream {one['name']}: {busy} busy and {idle} idle of {most} connections, {one['queued']} queued{breaker}"
    width = max((len(target["url"]) for target in one["targets"]), default=0)
    for target in one["targets"]:
        counts = f"{target['active']} active, {target['failures']} of {target['answers']} failed"
        yield f"  {target['url'].ljust(width)}  {target['state']}, weight {target['weight']}, {counts}"


def _ago(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
