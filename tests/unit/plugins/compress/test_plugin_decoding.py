"""The plugin in a chain: what is coded already, and requests."""

from __future__ import annotations

import gzip
from typing import Any

import brotli
import pytest

from proxy.body import Body
from proxy.chain import Hooks
from proxy.exchange import Exchange
from proxy.headers import Headers
from proxy.message import Request, Response
from proxy.testing import Driven, bench, drive
from tests.unit.plugins.compress.asking import GZIP, TEXT, answer, ask, compress, pieces, request


def coded(coding: str = "gzip", **fields: str) -> Response:
    data = {"gzip": gzip.compress, "br": brotli.compress}[coding](TEXT)
    return answer(data, {"Content-Encoding": coding, "ETag": '"abc"', **fields})


class TestUpstream:
    @pytest.mark.parametrize(
        ("mode", "sent", "got"),
        [
            ("pass", "gzip;q=0.5", "gzip;q=0.5"),
            ("identity", "gzip", "identity"),
            ("recode", "br", "gzip, deflate, br, zstd"),
            ("recode", None, "gzip, deflate, br, zstd"),
        ],
    )
    async def test_what_it_is_asked_for(self, mode: str, sent: str | None, got: str) -> None:
        headers = {} if sent is None else {"Accept-Encoding": sent}
        driven = await ask(answer(), headers, options={"upstream": mode})
        assert driven.forwarded is not None
        assert driven.forwarded.headers.getall("accept-encoding") == [got]

    @pytest.mark.parametrize("mode", ["pass", "identity"])
    async def test_a_coding_that_the_client_takes_passes(self, mode: str) -> None:
        reply = (await ask(coded(), {"Accept-Encoding": "gzip, br"}, options={"upstream": mode})).response
        assert gzip.decompress(reply.body) == TEXT
        assert reply.headers["etag"] == '"abc"'

    @pytest.mark.parametrize("mode", ["pass", "identity", "recode"])
    @pytest.mark.parametrize("accept", [{}, {"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip;q=0"}])
    async def test_one_that_it_does_not_take_is_undone(self, mode: str, accept: dict[str, str]) -> None:
        reply = (await ask(coded(Digest="x"), accept, options={"upstream": mode})).response
        assert reply.body == TEXT
        assert not reply.headers.any_of(frozenset({"content-encoding", "digest"}))
        assert reply.headers["etag"] == 'W/"abc"'
        assert reply.headers["vary"] == "Accept-Encoding"

    @pytest.mark.parametrize("mode", ["pass", "recode"])
    async def test_or_becomes_one_that_it_takes(self, mode: str) -> None:
        options = {"upstream": mode, "etag": "suffix"}
        reply = (await ask(coded("br"), GZIP, options=options)).response
        assert gzip.decompress(reply.body) == TEXT
        assert reply.headers["content-encoding"] == "gzip"
        assert reply.headers["etag"] == '"abc-gzip"'

    async def test_recode_gives_what_suits_the_client_best(self) -> None:
        reply = (await ask(coded(), {"Accept-Encoding": "br, gzip;q=0.5"}, options={"upstream": "recode"})).response
        assert brotli.decompress(reply.body) == TEXT
        same = (await ask(coded("br"), {"Accept-Encoding": "br"}, options={"upstream": "recode"})).response
        assert same.headers["etag"] == '"abc"'

    async def test_two_codings_are_undone_together(self) -> None:
        sent = answer(gzip.compress(brotli.compress(TEXT)), {"Content-Encoding": "br, gzip"})
        assert (await ask(sent, {"Accept-Encoding": "identity"})).response.body == TEXT

    async def test_what_may_not_be_changed_is_not_undone(self) -> None:
        sent = coded(**{"Cache-Control": "no-transform"})
        assert (await ask(sent, {"Accept-Encoding": "identity"})).response.headers["content-encoding"] == "gzip"

    async def test_a_stream_is_undone_as_it_flows(self) -> None:
        data = gzip.compress(TEXT)
        sent = answer(Body.of(pieces(data[:50], data[50:])), {"Content-Encoding": "gzip"})
        assert (await ask(sent, {})).response.body == TEXT

    async def test_what_is_no_such_coding_is_the_upstreams_fault(self) -> None:
        driven = await ask(answer(TEXT, {"Content-Encoding": "gzip"}), {})
        assert driven.response.status == 502
        driven = await ask(answer(Body.of(pieces(TEXT)), {"Content-Encoding": "gzip"}), {})
        assert driven.cut is not None
        assert driven.cut.code == "bad_response"

    @pytest.mark.parametrize("options", [{"size": "1MiB"}, {"ratio": 50}])
    async def test_a_bomb_is_cut(self, options: dict[str, Any]) -> None:
        bomb = gzip.compress(bytes(4_000_000))
        driven = await ask(answer(bomb, {"Content-Encoding": "gzip"}), {}, options={"decode": options})
        assert driven.cut is not None
        assert driven.cut.code == "response_too_large"
        assert len(driven.response.body) <= 1024 * 1024


class TestRequests:
    async def post(self, body: bytes | Body, headers: dict[str, str], mode: str = "decode") -> Driven:
        sent = Request(
            "POST", "/", host="test", headers=Headers(headers), body=Body(body) if isinstance(body, bytes) else body
        )
        return await drive(compress(requests=mode), request=sent)

    async def test_a_coded_body_is_decoded(self) -> None:
        fields = {"Content-Encoding": "gzip", "Content-Digest": "x", "Content-Type": "text/plain"}
        driven = await self.post(gzip.compress(TEXT), fields)
        assert driven.forwarded is not None
        assert driven.forwarded.body.data == TEXT
        assert not driven.forwarded.headers.any_of(frozenset({"content-encoding", "content-digest"}))

    async def test_unless_nobody_asked_for_it(self) -> None:
        driven = await self.post(gzip.compress(TEXT), {"Content-Encoding": "gzip"}, "pass")
        assert driven.forwarded is not None
        assert driven.forwarded.body.data == gzip.compress(TEXT)
        assert driven.forwarded.headers["content-encoding"] == "gzip"

    async def test_an_unknown_coding_passes(self) -> None:
        driven = await self.post(TEXT, {"Content-Encoding": "exi"})
        assert driven.forwarded is not None
        assert driven.forwarded.headers["content-encoding"] == "exi"

    @pytest.mark.parametrize(("body", "status"), [(b"text", 400), (gzip.compress(bytes(80_000_000), 9), 413)])
    async def test_what_cannot_be_decoded_is_the_clients_fault(self, body: bytes, status: int) -> None:
        assert (await self.post(body, {"Content-Encoding": "gzip"})).response.status == status


async def test_a_client_that_leaves_frees_everything() -> None:
    driven = await drive(
        compress(), request=request(GZIP), answer=answer(Body.of(pieces(*[TEXT] * 50))), leaves="during"
    )
    assert driven.reply is not None
    assert driven.exchange.attempt is None


async def test_explain_tells_what_it_would_do() -> None:
    async def told(accept: str, target: str = "/") -> str:
        plugin = compress(off=["/account"])
        driven = await drive(plugin, request=request({"Accept-Encoding": accept}, target=target))
        return plugin.describe(driven.exchange)

    assert await told("br, gzip") == "would code the answer as br"
    assert await told("identity") == "would leave the answer as it is"
    assert await told("br", "/account") == "off for this path"


class TestOutside:
    """What those see who stand further out: the cache above all."""

    @pytest.mark.parametrize("mode", ["pass", "identity", "recode"])
    async def test_the_clients_own_request_on_the_way_out(self, mode: str) -> None:
        sent = request({"Accept-Encoding": "br;q=0.5", "If-None-Match": 'W/"a"'})
        driven = await drive(compress(upstream=mode, requests="decode"), request=sent, answer=answer())
        assert driven.exchange.request is sent
        assert sent.headers["accept-encoding"] == "br;q=0.5"
        assert sent.headers["if-none-match"] == 'W/"a"'

    async def test_a_body_that_was_kept_for_another_try_stays_with_the_exchange(self) -> None:
        seen: list[Request] = []

        def kept(sent: Request) -> Response:
            seen.append(sent)
            return answer()

        sent = request({"If-None-Match": 'W/"a"'})
        async with bench(compress()) as made:
            made.upstream.answer = kept
            inward, body = made.plugins[0].on_request, Body(b"kept")

            def replacing(exchange: Exchange) -> None:
                inward(exchange)
                exchange.request.body = body

            made.engine.snapshot.plans[0].chain.inward = Hooks.of([(1, replacing)])
            driven = await made.send(sent)
        assert driven.exchange.request is sent
        assert sent.body is body

    async def test_a_stored_answer_can_be_coded_later(self) -> None:
        driven = await ask(answer(headers={"ETag": '"abc"'}), {})
        assert driven.response.body == TEXT
        assert driven.exchange.recoder is not None
        stored = Response(200, driven.response.headers.copy(), driven.response.body)
        driven.exchange.recoder(request(GZIP), stored)
        assert gzip.decompress(await stored.body.read(10**6)) == TEXT
        assert stored.headers["content-encoding"] == "gzip"
        assert stored.headers["etag"] == 'W/"abc"'
        assert stored.headers.getall("vary") == ["Accept-Encoding"]

    async def test_for_who_takes_none_it_stays_as_it_is(self) -> None:
        recoder = (await ask(answer())).exchange.recoder
        assert recoder is not None
        stored = answer()
        recoder(request({"Accept-Encoding": "identity"}), stored)
        assert stored.body.data == TEXT

    @pytest.mark.parametrize(
        "sent", [answer(kind="image/png"), answer(headers={"Cache-Control": "no-transform"}), answer(status=206)]
    )
    async def test_what_is_never_coded_has_none(self, sent: Response) -> None:
        assert (await ask(sent)).exchange.recoder is None

    async def test_paths_that_are_off_stay_off(self) -> None:
        recoder = (await ask(answer(), options={"off": ["/account"]})).exchange.recoder
        assert recoder is not None
        stored = answer()
        recoder(request(GZIP, target="/account"), stored)
        assert stored.body.data == TEXT
