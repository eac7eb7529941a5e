"""The process's one ClientSession, without the habits that are wrong for a proxy."""

from __future__ import annotations

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from proxy.upstream.connector import Connector


def open_session(connector: Connector) -> ClientSession:
    """A session that keeps no cookies, decodes nothing, believes no environment and has no limit over everything."""
    return ClientSession(
        connector=connector,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0),
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
    )
