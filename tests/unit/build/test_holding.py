"""What several configurations use ends with the last of them."""

from __future__ import annotations

from proxy.build.holding import Held


async def test_it_ends_once_when_the_last_lets_go() -> None:
    ended: list[str] = []

    async def end() -> None:
        ended.append("now")

    held = Held("thing", end)
    assert held.hold() is held.hold() is held
    assert (held.thing, held.holders) == ("thing", 2)
    await held.release()
    assert ended == []
    await held.release()
    assert ended == ["now"]
