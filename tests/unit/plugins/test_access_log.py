from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from plugins.access_log import AccessLog, Config
from proxy.api import Exchange, LogsRotated, Plugin, PluginConfig, Rank, Request, Response
from proxy.errors import BadRequest
from proxy.plugin import config_of
from proxy.testing import bench, check_plugin


class Home:
    """A plugin that writes into a file."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path / "a.log"
        self.plugin = AccessLog(Config.model_validate({"file": str(self.path), **options}))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


def answer(status: int) -> Any:
    return lambda _: Response(status)


async def test_exchanges_have_lines(tmp_path: Path) -> None:
    home = Home(tmp_path, headers={"request": ["User-Agent", "Authorization"]})
    async with bench(home.plugin) as made:
        request = Request("GET", "/a?token=x", host="example.com")
        request.headers.add("User-Agent", "test")
        request.headers.add("Authorization", "Bearer x")
        done = await made.send(request)
        made.upstream.answer = answer(503)
        await made.send("POST /b")
        await made.send("GET /c", leaves="before")
    first, second, third = home.lines()
    assert (first["request_id"], first["target"], first["host"]) == (done.exchange.id, "/a?token=***", "example.com")
    assert first["request"] == {"user-agent": "test", "authorization": "***"}
    assert (first["status"], first["upstream_status"], first["route"], first["revision"]) == (200, 200, "test", "test")
    assert first["upstream_ms"] >= 0
    assert first["cache"] is None
    assert (second["method"], second["status"], second["upstream_status"]) == ("POST", 503, 503)
    assert (third["status"], third["reason"]) == (499, "client_left")


class Rewriting(Plugin[PluginConfig]):
    """Makes another request of it, and has something fetched."""

    async def on_request(self, exchange: Exchange) -> None:
        exchange.request.host, exchange.request.target = "inside.test", "/inside"
        (await exchange.fetch(Request("GET", "/fetched", host="inside.test"))).close()


async def test_the_request_is_the_clients_and_what_was_fetched_has_no_line(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with bench(Rewriting(PluginConfig()), home.plugin) as made:
        await made.send(Request("GET", "/outside", host="outside.test"))
    (late,) = home.lines()
    assert (late["host"], late["target"]) == ("inside.test", "/inside")
    home.path.unlink()
    async with bench(home.plugin, Rewriting(PluginConfig())) as made:
        await made.send(Request("GET", "/outside", host="outside.test"))
    (early,) = home.lines()
    assert (early["host"], early["target"]) == ("outside.test", "/outside")


async def test_a_head_that_cannot_be_read(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with bench(home.plugin) as made:
        x = (await made.send("GET /")).exchange
        again = Exchange("2", Request("GET", "/"), x.peer, x.client, made.clock.monotonic())
        again.error = BadRequest("no")
        again.response = Response(400)
        home.plugin.on_complete(again)
    told = home.lines()[1]
    assert (told["method"], told["target"], told["protocol"]) == (None, None, None)
    assert (told["status"], told["reason"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("only", "told"),
    [
        ({}, [200, 404, 500, 503]),
        ({"status": ["5xx"]}, [500, 503]),
        ({"status": [404, "503"]}, [404, 503]),
        ({"slower_than": "1s"}, [500]),
        ({"slower_than": "1s", "status": [200]}, [200, 500]),
    ],
)
async def test_only_some_have_lines(tmp_path: Path, only: dict[str, Any], told: list[int]) -> None:
    home = Home(tmp_path, only=only)
    async with bench(home.plugin) as made:
        for status in (200, 404, 500, 503):

            def slowly(_: Request, status: int = status) -> Response:
                made.clock.advance(1.5 if status == 500 else 1.0)
                return Response(status)

            made.upstream.answer = slowly
            await made.send("GET /")
    assert [line["status"] for line in home.lines()] == told


async def test_a_share_of_them_has_lines(tmp_path: Path) -> None:
    home = Home(tmp_path, sample="25%")
    async with bench(home.plugin) as made:
        for _ in range(400):
            await made.send("GET /")
    assert 70 <= len(home.lines()) <= 130


async def test_every_exchange_without_a_draw(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with bench(home.plugin) as made:
        before = home.plugin._random.getstate()
        await made.send("GET /")
        assert home.plugin._random.getstate() == before


async def test_what_is_lost_is_counted(tmp_path: Path) -> None:
    home = Home(tmp_path, queue="1B")
    async with bench(home.plugin) as made:
        await made.send("GET /")
        lost = made.metrics.counter("passerelle_access_log_dropped_total", "", ("reason",))
        assert {labels: child.value for labels, child in lost.children()} == {("full",): 1, ("unwritable",): 0}
    assert home.lines() == []


async def test_a_rotation_opens_the_file_anew(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with bench(home.plugin) as made:
        home.path.unlink()
        made.bus.publish(LogsRotated())
    assert home.path.exists()


async def test_a_route_has_fields_and_filters_of_its_own_and_the_same_file(tmp_path: Path) -> None:
    home = Home(tmp_path)
    twin = home.plugin.for_route(Config.model_validate({"file": str(home.path), "only": {"status": ["5xx"]}}))
    async with bench(home.plugin) as made:
        twin.share(home.plugin)
        x = (await made.send("GET /")).exchange
        twin.on_complete(x)
        x.response = Response(500)
        twin.on_complete(x)
    assert [line["status"] for line in home.lines()] == [200, 500]


async def test_combined_text(tmp_path: Path) -> None:
    home = Home(tmp_path, format="combined", mask_query=["b"])
    async with bench(home.plugin) as made:
        await made.send("GET /?b=1&token=2")
    assert '"GET /?b=***&token=2 HTTP/1.1" 200 2 "-" "-"\n' in home.path.read_text()


async def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async with bench(Home(tmp_path / "nowhere").plugin):
            pass


async def test_it_keeps_the_contract_of_hooks(tmp_path: Path) -> None:
    await check_plugin(AccessLog, {"file": str(tmp_path / "a.log")})


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"format": "xml"}, ("format",), "Input should be 'json' or 'combined'"),
        ({"file": ""}, ("file",), "String should have at least 1 character"),
        ({"sample": "120%"}, ("sample",), "120% is more than the whole"),
        (
            {"format": "combined", "headers": {"request": ["A"]}},
            (),
            "Value error, the combined format has no place for further fields; write format: json",
        ),
    ],
)
def test_slips_are_refused_where_they_stand(options: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate(options)
    (error,) = raised.value.errors()
    assert (error["loc"], error["msg"]) == (place, message)


@pytest.mark.parametrize("status", ["6xx", "5x", "2000", 99, "abc", "-404", True])
def test_what_is_no_status_is_refused(status: object) -> None:
    with pytest.raises(ValidationError, match=r"must be a status|valid"):
        Config.model_validate({"only": {"status": [status]}})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "writes a line to stdout"),
        ({"file": "a.log", "sample": "10%"}, "writes a line to a.log, unless it is left out"),
    ],
)
async def test_explain_tells_where(options: dict[str, Any], told: str) -> None:
    async with bench() as made:
        x = (await made.send("GET /")).exchange
    assert AccessLog(Config.model_validate(options)).describe(x) == told


def test_its_place_and_kind() -> None:
    assert (AccessLog.rank, AccessLog.on_error, AccessLog.pure) == (Rank.EVENTS, "skip", False)
    assert config_of(AccessLog) is Config
    assert Config.process_wide == {"file", "format", "queue"}


def test_every_option_is_explained() -> None:
    assert all("description" in option for option in Config.model_json_schema()["properties"].values())
