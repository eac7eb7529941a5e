"""What a start imports: what is not configured is not loaded, neither into memory nor into the time of a start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import trustme

CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {app: {targets: [http://127.0.0.1:9]}}
plugins: [request_id]
routes: [{name: all, upstream: app}]
"""
SCRIPT = f"""
import asyncio, sys
from proxy.cli import main, serve
from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.server.run import run
from proxy.settings import load_text

async def start():
    gateway = Gateway(load_text({CONFIG!r}, {{}}), Registry.installed())
    await gateway.start()
    print(*sorted(name for name in sys.modules if name.startswith(("proxy", "plugins"))))
    await gateway.stop()

asyncio.run(start())
"""
# Each for those alone who ask for it.
ELSEWHERE = {
    "plugins.access_log",
    "plugins.cache.plugin",
    "plugins.compress.plugin",
    "plugins.sanitize.plugin",
    "plugins.webhook.plugin",
    "proxy.build.explain",
    "proxy.build.explanation",
    "proxy.build.trial",
    "proxy.cli.demo",
    "proxy.frontend.pem",
    "proxy.frontend.preface",
    "proxy.frontend.proxy_protocol",
    "proxy.frontend.tls",
    "proxy.frontend.x509",
    "proxy.sanitize",
    "proxy.server.controls",
    "proxy.server.models",
    "proxy.server.openapi",
    "proxy.server.sample",
    "proxy.server.supervisor",
    "proxy.server.views",
    "proxy.store",
    "proxy.testing",
}


# Each for those alone who type a command.
TYPED = {
    "plugins.sanitize.commands",
    "plugins.sanitize.recorded",
    "plugins.sanitize.rehearsal",
    "proxy.cli.cache",
    "proxy.cli.serve",
    "proxy.server.supervisor",
}
# Each for those alone who keep an outbox.
KEPT = {"proxy.store", "proxy.store.memory", "proxy.store.records"}
# Each for a body of its kind, for a slip, and for logs that were moved away.
MET = {"plugins.sanitize.graphql", "plugins.sanitize.multipart", "plugins.sanitize.xml", "difflib", "logging.handlers"}
# As the command does it, in a process of its own.
CHECK = """
import gc, sys
from proxy.cli.main import main
code = main()
from aiohttp import connector
print(*sorted(sys.modules))
print(code, connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509"], gc.get_threshold()[0] > 100_000)
"""


def test_a_default_chain_leaves_unread_what_it_does_not_need(tmp_path: Path) -> None:
    """The system knows one authority here, the test's own: a context has it that is made as aiohttp makes it."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "system.pem")
    (tmp_path / "gateway.yaml").write_text(CONFIG.replace("plugins: [request_id]", ""))
    script = [sys.executable, "-c", CHECK, "check", str(tmp_path / "gateway.yaml")]
    known = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "system.pem")}
    done = subprocess.run(script, capture_output=True, text=True, timeout=50, check=False, env=known)
    assert done.stdout.splitlines()[-1:] == ["0 0 True"], done.stderr
    imported = set(done.stdout.splitlines()[-2].split())
    assert {"plugins.sanitize.plugin", "plugins.cache.plugin", "plugins.compress.plugin"} <= imported
    assert imported & (TYPED | KEPT | MET) == set()


def test_what_is_not_configured_is_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert {"plugins.request_id", "proxy.engine", "proxy.frontend.listener"} <= imported
    assert imported & ELSEWHERE == set()
