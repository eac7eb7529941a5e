"""Where the admin API of a running gateway is, and one question to it: what several subcommands share."""

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

DEFAULT = "http://127.0.0.1:9090"
TOKEN = "PASSERELLE_ADMIN_TOKEN"  # noqa: S105 (the name of a variable)

_PATIENCE = 10.0  # seconds
_SILENCE = 60.0  # seconds without a sign of life from a stream, which gives one every 15


class Unreachable(Exception):
    """There is no answer that could be shown; the words say why."""


def add_admin(parser: argparse.ArgumentParser) -> None:
    """The options that say where the gateway is."""
    parser.add_argument("--admin", metavar="URL", help=f"default: what the file says, else {DEFAULT}")
    add_config(parser)


def where(args: argparse.Namespace) -> tuple[str, str]:
    """The admin listener's URL and its token. The file's token goes to the file's listener and nowhere else."""
    told, token = args.admin, os.environ.get(TOKEN, "")
    try:
        said, secret = written(find_config(args.config))
    except NoConfiguration:
        said, secret = DEFAULT, ""
    url = (told or said).rstrip("/")
    return url, token or (secret if url == said else "")


def written(file: Path) -> tuple[str, str]:
    """What a file says of its admin listener, even when the rest of it is wrong, which is when one asks."""
    from proxy.settings import Admin, Document, validate_model
    from proxy.settings.include import Tree

    tree = Tree(os.environ)
    tree.read(file)
    said = Document.of(tree.root).data.get("admin", {}) if tree.root is not None else {}
    admin, _ = validate_model(Admin, said if isinstance(said, dict) else {}, (), Document())
    return (DEFAULT, "") if admin is None else (admin.listen, admin.token)


def ask(url: str, token: str, what: str, body: Any = None) -> dict[str, Any]:
    """One answer of the API: to a GET, or to a POST of `body` as JSON.

    :raises Unreachable: when there is none, or another one.
    """
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with closing(_connection(url, _PATIENCE)) as connection:
            if body is None:
                connection.request("GET", f"/api/v1/{what}", headers=fields)
            else:
                fields["Content-Type"] = "application/json"
                connection.request("POST", f"/api/v1/{what}", body=json.dumps(body), headers=fields)
            answer = connection.getresponse()
            return read(answer.status, answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _silent(error) from error


def lines(url: str, token: str, what: str) -> Iterator[str]:
    """The lines of a stream, until it ends. :raises Unreachable: when there is none, or it breaks off."""
    try:
        with closing(_connection(url, _SILENCE)) as connection:
            connection.request("GET", f"/api/v1/{what}", headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                read(answer.status, answer.read())
            while line := answer.readline():
                yield line.decode().rstrip("\n")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _silent(error) from error


def _connection(url: str, patience: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreachable('this is no URL; write it as "http://127.0.0.1:9090"')
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=patience)


def _silent(error: Exception) -> Unreachable:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Unreachable(f"no gateway answers there: {words}")


def read(status: int, body: bytes) -> dict[str, Any]:
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
