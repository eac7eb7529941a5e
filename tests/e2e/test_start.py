"""What a start imports: what is not configured is not loaded, neither into memory nor into the time of a start."""

from __future__ import annotations

import subprocess
import sys

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
    "proxy.server.openapi",
    "proxy.server.sample",
    "proxy.server.supervisor",
    "proxy.store.sqlite",
    "proxy.testing",
}


def test_what_is_not_configured_is_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert {"plugins.request_id", "proxy.engine", "proxy.frontend.listener"} <= imported
    assert imported & ELSEWHERE == set()
