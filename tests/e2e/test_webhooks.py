"""Webhooks of the real command: what operators do, and what happens to events when a process dies."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Oracle

from tests.e2e.conftest import COMMAND, Process, Run, command
from tests.e2e.receiver import PATIENCE, SECRET, Receiver, Traffic, configured, endpoint, get, receiving, until

FULL = "SOAK_SECONDS" in os.environ
KILLS, EVENTS = (50, 200) if FULL else (2, 20)
SAFE = 0.025  # seconds after its publishing that an event is safe, with what a client needs to notice an answer


def ran(*arguments: str) -> tuple[int, str]:
    """What the command says, as a process of its own."""
    done = subprocess.run([str(COMMAND), *arguments], check=False, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def verified(receiver: Receiver) -> None:
    for one in receiver.got:
        Oracle(SECRET).verify(one.body, one.fields)


def test_operators_look_test_and_replay(run: Run, tmp_path: Path) -> None:
    with receiving() as receiver:
        gateway = run("serve", "-c", str(configured(tmp_path, endpoint(receiver, events="config.*"))))
        admin = gateway.admin()
        gateway.ready()
        where = "--admin", admin
        code, told = ran("webhooks", "test", "ops", *where)
        assert (code, "answered 204" in told) == (0, True)
        event = receiver.got[0].id
        assert command("webhooks", "replay", event, *where) == (0, "1 delivery is due again\n")
        assert until(lambda: len(receiver.got) == 2)
        assert receiver.got[1].body == receiver.got[0].body
        receiver.status = 500
        code, told = command("webhooks", "test", "ops", *where)
        assert (code, "answered 500" in told) == (1, True)
        assert command("webhooks", "attempts", event, *where)[1].count("answered 204") == 2
        assert command("webhooks", "disable", "ops", *where)[0] == 0
        assert until(lambda: "ops: disabled, 1 pending" in command("webhooks", "list", *where)[1])
        verified(receiver)


def test_events_are_watched(run: Run, tmp_path: Path) -> None:
    with receiving() as receiver:
        gateway = run("serve", "-c", str(configured(tmp_path, endpoint(receiver))))
        admin = gateway.admin()
        url = gateway.ready()
        tail = Process(str(COMMAND), "events", "tail", "--type", "request.completed", "--json", "--admin", admin)
        try:
            traffic = Traffic(url, 0.05)
            told = json.loads(tail.line('"type"'))
            traffic.stop()
            assert (told["type"], told["data"]["route"]) == ("request.completed", "hello")
        finally:
            tail.kill()


def test_an_endpoint_of_the_environment(run: Run, tmp_path: Path) -> None:
    with receiving() as receiver:
        env = {
            "WEBHOOK_3_URL": receiver.url,
            "WEBHOOK_3_SECRET": SECRET,
            "WEBHOOK_3_ALLOW_PRIVATE": "true",
            "WEBHOOK_3_EVENTS": "system.started",
        }
        gateway = run(
            "serve", "--to", "http://127.0.0.1:1", "--listen", "http://127.0.0.1:0", "--admin", "off", env=env
        )
        gateway.ready()
        assert until(lambda: len(receiver.got) == 1)
        assert receiver.got[0].told["type"] == "system.started"
        verified(receiver)


def bodies(receiver: Receiver) -> dict[str, set[bytes]]:
    """By event, what was sent of it."""
    found: dict[str, set[bytes]] = {}
    for one in list(receiver.got):
        found.setdefault(one.id, set()).add(one.body)
    return found


def killed(gateway: Process, receiver: Receiver, seconds: float, *, hold: bool) -> dict[str, float]:
    """Kill a gateway under traffic.

    :param hold: while the receiver takes what it is sent and does not answer.
    :returns: the requests that were answered long enough before for their events to be safe.
    """
    traffic = Traffic(gateway.ready(), 0.002)
    assert until(lambda: len(traffic.answered) >= EVENTS)
    time.sleep(seconds)  # a random moment is what is asked for
    if hold:
        receiver.delay, before = 60.0, len(receiver.got)
        assert until(lambda: len(receiver.got) > before)
    moment = time.monotonic()
    gateway.send(signal.SIGKILL)
    gateway.ended()
    traffic.stop()
    return {name: at for name, at in traffic.answered.items() if at < moment - SAFE}


@pytest.mark.soak
@pytest.mark.timeout(1800 if FULL else 120)
def test_nothing_is_lost_when_the_process_is_killed(run: Run, tmp_path: Path) -> None:
    """The last time it is killed while deliveries are under way, which nobody tells it the outcome of."""
    safe: dict[str, float] = {}
    dice = random.Random(5)
    with receiving() as receiver:
        file = configured(tmp_path, endpoint(receiver, total="1s"))
        for number in range(KILLS):
            gateway = run("serve", "-c", str(file))
            safe |= killed(gateway, receiver, dice.uniform(0.0, 0.5), hold=number == KILLS - 1)
        held = receiver.got[-1]
        receiver.delay = 0.0
        gateway = run("serve", "-c", str(file))
        get(gateway.ready())
        assert until(lambda: safe.keys() <= receiver.request_ids(), 60)
        assert until(lambda: any(one.id == held.id and one is not held for one in list(receiver.got)), 60)
        verified(receiver)
    again = next(one for one in receiver.got if one.id == held.id and one is not held)
    lease = 1.0 + 15.0
    found = bodies(receiver)
    twice = len(receiver.got) - len(found)
    print(f"{KILLS} kills: {len(safe)} events, 0 lost, {twice} sent twice, the first after {again.at - held.at:.1f} s")
    assert all(len(sent) == 1 for sent in found.values())
    assert lease - 1.0 <= again.at - held.at <= lease + (1.0 if FULL else 15.0)


def test_two_workers_share_one_outbox(run: Run, tmp_path: Path) -> None:
    with receiving() as receiver:
        gateway = run("serve", "-c", str(configured(tmp_path, endpoint(receiver), workers=2)))
        admin, url = gateway.admin(), gateway.ready()
        streams = [Traffic(url, 0.002) for _ in range(6)]
        assert until(lambda: all(len(one.answered) > 30 for one in streams))
        for one in streams:
            one.stop()
        asked = {name for one in streams for name in one.answered}
        assert until(lambda: asked <= receiver.request_ids())
        ids = [one.id for one in receiver.got]
        assert len(ids) == len(set(ids))
        code, told = command("webhooks", "test", "ops", "--admin", admin)
        assert (code, told.count("answered 204")) == (0, 1)
        assert [one.told["type"] for one in receiver.got].count("webhook.test") == 1
        assert re.search(r"^ops: ok, 0 pending", command("webhooks", "list", "--admin", admin)[1], re.MULTILINE)
