"""The kit for plugin authors: try a plugin in memory, behind a real gateway, or against the contract of hooks.

Three depths, from quick to whole:

- `drive(plugin, request=...)` sends one request through the real engine between a client and an upstream that both
  live in memory; `bench(plugin)` does so for several requests, with the plugin started once.
- `running(plugins=[MyPlugin])` runs a whole gateway on a free port of the loopback, with a recording upstream on a real
  socket; it fails when anything is left over at its end.
- `check_plugin(MyPlugin)` sends what plugins are seldom tried with (HEAD, 204, streams, a client that leaves, errors)
  and tells what the plugin does wrong.

    async def test_the_house_is_closed() -> None:
        done = await drive(Maintenance(Config()), request="GET /")
        assert done.response.status == 503
        assert done.forwarded is None

    async def test_it_keeps_the_contract_of_hooks() -> None:
        await check_plugin(Maintenance)
"""

from proxy.clock import ManualClock
from proxy.testing.client import Cut, Reply, Wire
from proxy.testing.contract import ContractBroken, check_plugin
from proxy.testing.ends import MemoryUpstream
from proxy.testing.gateway import GatewayKit, Leak, Local, running
from proxy.testing.memory import Bench, Driven, bench, drive
from proxy.testing.services import AdminTable, ScriptedHttp
from proxy.testing.upstream import Conversation, FakeUpstream, Script, Seen

__all__ = [
    "AdminTable",
    "Bench",
    "ContractBroken",
    "Conversation",
    "Cut",
    "Driven",
    "FakeUpstream",
    "GatewayKit",
    "Leak",
    "Local",
    "ManualClock",
    "MemoryUpstream",
    "Reply",
    "Script",
    "ScriptedHttp",
    "Seen",
    "Wire",
    "bench",
    "check_plugin",
    "drive",
    "running",
]
