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

from tests.e2e.conftest import COMMAND, Process, Run
from tests.e2e.receiver import PATIENCE, SECRET, Receiver, Traffic, configured, endpoint, get, receiving, until

KILLS = int(os.environ.get("WEBHOOK_KILLS", "2"))
SAFE = 0.025  # seconds after its publishing that an event is safe, with what a client needs to notice an answer


def command(*arguments: str) -> tuple[int, str]:
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
        code, told = command("webhooks", "test", "ops", *where)
        assert (code, "answered 204" in told) == (0, True)
        event = receiver.got[0].id
        assert command("webhooks", "replay", event, *where) == (0, "1 deliveries are due again\n")
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


def test_nothing_is_lost_when_the_process_is_killed(run: Run, tmp_path: Path) -> None:
    """Twice in the usual run; WEBHOOK_KILLS asks for more."""
    safe: dict[str, float] = {}
    dice = random.Random(5)
    with receiving() as receiver:
        file = configured(tmp_path, endpoint(receiver, total="1s"))
        for _ in range(KILLS):
            gateway = run("serve", "-c", str(file))
            traffic = Traffic(gateway.ready(), 0.002)
            time.sleep(dice.uniform(0.2, 0.8))
            before = time.monotonic()
            gateway.send(signal.SIGKILL)
            gateway.ended()
            traffic.stop()
            safe |= {name: at for name, at in traffic.answered.items() if at < before - SAFE}
        gateway = run("serve", "-c", str(file))
        ready = gateway.ready()
        began = time.monotonic()
        assert until(lambda: safe.keys() <= receiver.request_ids(), 30)
        took = time.monotonic() - began
        get(ready)
        verified(receiver)
    bodies: dict[str, set[bytes]] = {}
    for one in receiver.got:
        bodies.setdefault(one.id, set()).add(one.body)
    assert all(len(found) == 1 for found in bodies.values())
    twice = len(receiver.got) - len(bodies)
    print(f"{KILLS} kills: {len(safe)} events, 0 lost, {twice} delivered twice, all there {took:.1f} s after")


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


@pytest.mark.soak
def test_a_slow_endpoint_holds_up_no_other(run: Run, tmp_path: Path) -> None:
    with receiving() as slow, receiving() as quick:
        slow.delay = 5.0
        parts = [endpoint(quick, f"quick{number}", in_flight=10) for number in range(4)]
        file = configured(tmp_path, *parts, endpoint(slow, "slow", in_flight=10))
        gateway = run("serve", "-c", str(file))
        traffic = Traffic(gateway.ready(), 0.01)
        assert until(lambda: len(traffic.answered) > 150)
        traffic.stop()
        assert until(lambda: len(quick.got) >= 4 * len(traffic.answered))
        waits = sorted(one.at - traffic.answered[one.told["data"]["request_id"]] for one in quick.got)
        worst = waits[int(len(waits) * 0.99)]
        print(f"p99 from answer to delivery beside a slow endpoint: {worst * 1000:.0f} ms")
        assert worst < 0.5
        assert len(slow.got) < 60
