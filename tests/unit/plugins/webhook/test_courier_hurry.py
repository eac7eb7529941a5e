"""What an endpoint is owed later, once somebody says that it is well again."""

from __future__ import annotations

from tests.unit.plugins.webhook.stage import Stage


async def failed_twice() -> Stage:
    """An endpoint that is well again, and is owed something that is due in five minutes."""
    stage = Stage()
    stage.receiver.status = 500
    await stage.owe(1)
    await stage.run()
    await stage.pass_time(7)
    stage.receiver.status = 200
    await stage.pass_time(60)
    assert len(stage.receiver.received) == 2
    return stage


async def test_an_operator_has_it_delivered_at_once() -> None:
    stage = await failed_twice()
    await stage.store.endpoints.ask("ops", "enable 1")
    await stage.pass_time(6)
    assert len(stage.receiver.received) == 3


async def test_a_changed_configuration_has_it_delivered_at_once() -> None:
    stage = await failed_twice()
    await stage.store.endpoints.disown("me")
    again = Stage(store=stage.store, clock=stage.clock, owner="other", url="https://hooks.example.com/new")
    await again.pass_time(6)
    assert len(again.receiver.received) == 1
