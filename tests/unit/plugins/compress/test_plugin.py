"""The plugin in a chain: what is coded, what is left alone, and what the fields say of it."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest

from proxy.body import Body
from proxy.headers import Headers
from proxy.message import Response
from tests.unit.plugins.compress.asking import DECODE, GZIP, TEXT, answer, ask, pieces


class TestCoding:
    @pytest.mark.parametrize("coding", DECODE)
    async def test_each_coding(self, coding: str) -> None:
        driven = await ask(answer(), {"Accept-Encoding": coding})
        reply = driven.response
        assert reply.headers.getall("content-encoding") == [coding]
        assert DECODE[coding](reply.body) == TEXT
        assert len(reply.body) < len(TEXT) * 0.3

    async def test_a_small_answer_in_memory_needs_no_task(self) -> None:
        assert (await ask(answer())).tasks == 0

    async def test_of_several_the_first_offered(self) -> None:
        every = {"Accept-Encoding": "gzip, deflate, br, zstd"}
        assert (await ask(answer(), every)).response.headers["content-encoding"] == "zstd"
        other = await ask(answer(), every, options={"codings": ["br", "gzip"]})
        assert other.response.headers["content-encoding"] == "br"
        assert (
            await ask(answer(), {"Accept-Encoding": "zstd"}, options={"codings": ["br", "gzip"]})
        ).response.body == TEXT

    async def test_a_large_answer_in_memory_is_coded_by_a_thread_and_has_a_length(self) -> None:
        large = TEXT * 100
        driven = await ask(answer(large))
        assert gzip.decompress(driven.response.body) == large
        assert driven.exchange.response is not None
        assert driven.exchange.response.body.size == len(driven.response.body)
        assert driven.tasks == 1

    async def test_a_very_large_one_goes_out_as_it_is_coded(self) -> None:
        large = TEXT * 200
        driven = await ask(answer(large))
        assert gzip.decompress(driven.response.body) == large
        assert driven.exchange.response is not None
        assert driven.exchange.response.body.size is None

    async def test_a_stream_is_coded_as_it_flows(self) -> None:
        reply = (await ask(answer(Body.of(pieces(*[TEXT] * 9))))).response
        assert gzip.decompress(reply.body) == TEXT * 9

    async def test_plugins_made_answers_are_coded_too(self) -> None:
        driven = await ask(answer(status=404))
        assert driven.response.headers["content-encoding"] == "gzip"

    async def test_levels(self) -> None:
        low = await ask(answer(), options={"levels": {"gzip": 1}})
        high = await ask(answer(), options={"levels": {"gzip": 9}})
        assert len(high.response.body) < len(low.response.body)
        typed = await ask(answer(), options={"levels": {"gzip": 1}, "levels_by_type": {"*/json": {"gzip": 9}}})
        assert typed.response.body == high.response.body


class TestLeftAlone:
    @pytest.mark.parametrize(
        ("sent", "varies"),
        [
            (answer(TEXT[:499]), True),
            (answer(Body.of(pieces(TEXT[:99]), 99)), True),
            (answer(headers={"Content-Encoding": "gzip"}), True),
            (answer(headers={"Content-Encoding": "aes128gcm"}), True),
            (answer(headers={"Cache-Control": "max-age=5, No-Transform"}), True),
            (answer(status=206, headers={"Content-Range": "bytes 0-9/100"}), True),
            (answer(kind="image/png"), False),
            (answer(kind="application/octet-stream"), False),
            (answer(kind=""), False),
            (answer(b"", status=204), False),
        ],
    )
    async def test_it_passes_as_it_is(self, sent: Response, varies: bool) -> None:
        before, size = sent.headers.items().copy(), sent.body.size
        reply = (await ask(sent)).response
        after = [pair for pair in reply.headers.items() if pair[0] != "Vary"]
        assert after == before
        assert len(reply.body) == size
        assert reply.headers.getall("vary") == (["Accept-Encoding"] if varies else [])

    @pytest.mark.parametrize("accept", [{}, {"Accept-Encoding": ""}, {"Accept-Encoding": "identity;q=0"}])
    async def test_for_a_client_that_takes_no_coding(self, accept: dict[str, str]) -> None:
        reply = (await ask(answer(), accept)).response
        assert reply.body == TEXT
        assert reply.headers["vary"] == "Accept-Encoding"

    async def test_for_a_request_that_forbids_it(self) -> None:
        assert (await ask(answer(), {**GZIP, "Cache-Control": "no-transform"})).response.body == TEXT

    async def test_min_size(self) -> None:
        assert (await ask(answer(TEXT[:500]))).response.headers["content-encoding"] == "gzip"
        assert (await ask(answer(), options={"min_size": "1MiB"})).response.body == TEXT
        assert (await ask(answer(b""), options={"min_size": 0})).response.body == b""

    @pytest.mark.parametrize(
        "target", ["/account/a", "/%61ccount/a", "//account/a", "/x/../account/a?b", "/account%2Fa"]
    )
    async def test_paths_that_are_off(self, target: str) -> None:
        reply = (await ask(answer(), options={"off": ["/account/*"]}, target=target)).response
        assert reply.body == TEXT
        assert "vary" not in reply.headers

    async def test_other_paths_are_not_off(self) -> None:
        reply = (await ask(answer(), options={"off": ["/account/*"]}, target="/accounts")).response
        assert reply.headers["content-encoding"] == "gzip"


class TestTypes:
    @pytest.mark.parametrize(
        "kind",
        [
            *("application/json", "application/problem+json", "application/vnd.api+json", "text/html", "text/plain"),
            *(
                "text/css",
                "text/xml",
                "text/javascript",
                "application/javascript",
                "application/xml",
                "text/event-stream",
            ),
            *("application/rss+xml", "image/svg+xml", "application/wasm", "application/graphql-response+json"),
            *(
                "text/event-stream",
                "application/x-ndjson",
                "APPLICATION/JSON;charset=utf-8",
                "text/html ; charset=utf-8",
            ),
        ],
    )
    async def test_coded(self, kind: str) -> None:
        assert (await ask(answer(kind=kind))).response.headers["content-encoding"] == "gzip"

    @pytest.mark.parametrize("kind", ["font/woff2", "video/mp4", "application/zip", "application/grpc", "text", "x"])
    async def test_not_coded(self, kind: str) -> None:
        assert (await ask(answer(kind=kind))).response.body == TEXT

    async def test_chosen(self) -> None:
        options = {"types": ["application/x-*", "model/*"]}
        assert (await ask(answer(kind="application/x-thing"), options=options)).response.body != TEXT
        assert (await ask(answer(kind="text/html"), options=options)).response.body == TEXT


class TestFields:
    async def test_a_strong_tag_becomes_weak(self) -> None:
        reply = (await ask(answer(headers={"ETag": '"abc"'}))).response
        assert reply.headers["etag"] == 'W/"abc"'

    async def test_or_another_strong_one(self) -> None:
        reply = (await ask(answer(headers={"ETag": '"abc"'}), options={"etag": "suffix"})).response
        assert reply.headers["etag"] == '"abc-gzip"'

    @pytest.mark.parametrize("style", ["weak", "suffix"])
    async def test_a_weak_tag_stays(self, style: str) -> None:
        reply = (await ask(answer(headers={"ETag": 'W/"abc"'}), options={"etag": style})).response
        assert reply.headers["etag"] == 'W/"abc"'

    async def test_a_tag_stays_where_nothing_is_coded(self) -> None:
        assert (await ask(answer(headers={"ETag": '"abc"'}), {})).response.headers["etag"] == '"abc"'

    async def test_what_is_said_of_the_bytes_goes(self) -> None:
        names = "Content-MD5 Digest Repr-Digest Content-Digest Accept-Ranges Content-Length"
        fields = dict.fromkeys(names.split(), "10")
        reply = (await ask(answer(headers={**fields, "X-Other": "1"}))).response
        assert sorted(reply.headers) == ["Content-Encoding", "Content-Type", "Vary", "X-Other"]

    @pytest.mark.parametrize("flows", [False, True])
    async def test_trailers_pass_but_for_digests(self, flows: bool) -> None:
        trailers = Headers({"Repr-Digest": "x", "Server-Timing": "db"})

        async def made() -> AsyncIterator[bytes]:
            yield TEXT
            body.trailers = trailers

        body = Body.of(made()) if flows else Body(TEXT)
        if not flows:
            body.trailers = trailers
        reply = (await ask(answer(body))).response
        assert gzip.decompress(reply.body) == TEXT
        assert reply.trailers is not None
        assert reply.trailers.items() == [("Server-Timing", "db")]

    @pytest.mark.parametrize(
        ("had", "has"),
        [
            ([], ["Accept-Encoding"]),
            (["Origin"], ["Origin, Accept-Encoding"]),
            (["accept-encoding"], ["accept-encoding"]),
            (["Origin, Accept-Encoding"], ["Origin, Accept-Encoding"]),
            (["*"], ["*"]),
            (["Origin", "Cookie"], ["Origin", "Cookie", "Accept-Encoding"]),
            ([""], ["", "Accept-Encoding"]),
        ],
    )
    async def test_vary(self, had: list[str], has: list[str]) -> None:
        sent = answer()
        for value in had:
            sent.headers.add("Vary", value)
        assert (await ask(sent)).response.headers.getall("vary") == has


class TestHead:
    async def test_it_has_the_fields_of_a_get(self) -> None:
        sent = answer(b"", {"Content-Length": str(len(TEXT)), "ETag": '"abc"'})
        reply = (await ask(sent, method="HEAD")).response
        assert reply.headers["content-encoding"] == "gzip"
        assert reply.headers["etag"] == 'W/"abc"'
        assert reply.headers["vary"] == "Accept-Encoding"
        assert "content-length" not in reply.headers

    async def test_of_a_small_one_too(self) -> None:
        reply = (await ask(answer(b"", {"Content-Length": "499"}), method="HEAD")).response
        assert reply.headers["content-length"] == "499"
        assert "content-encoding" not in reply.headers

    async def test_a_length_that_is_not_told(self) -> None:
        reply = (await ask(answer(b""), method="HEAD")).response
        assert reply.headers["content-encoding"] == "gzip"


class TestConditions:
    @pytest.mark.parametrize(
        ("style", "sent", "got"),
        [
            ("weak", 'W/"abc"', 'W/"abc", "abc"'),
            ("weak", '"abc"', '"abc"'),
            ("weak", "*", "*"),
            ("weak", 'W/"a", "b" , W/"c"', 'W/"a", "a", "b", W/"c", "c"'),
            ("weak", 'W/"a", "a"', 'W/"a", "a"'),
            ("weak", 'W/"a', 'W/"a'),
            ("suffix", '"abc-gzip"', '"abc-gzip", "abc"'),
            ("suffix", '"abc"', '"abc"'),
            ("suffix", 'W/"abc-gzip"', 'W/"abc-gzip"'),
            ("suffix", '"a-br", "b"', '"a-br", "a", "b"'),
        ],
    )
    @pytest.mark.parametrize("name", ["If-None-Match", "If-Match"])
    async def test_the_upstream_gets_its_own_tag_too(self, style: str, sent: str, got: str, name: str) -> None:
        driven = await ask(answer(), {name: sent}, options={"etag": style})
        assert driven.forwarded is not None
        assert driven.forwarded.headers.getall(name) == [got]

    @pytest.mark.parametrize(
        ("style", "known", "told", "has", "varies"),
        [
            ("weak", 'W/"abc"', '"abc"', 'W/"abc"', True),
            ("weak", 'W/"abc"', 'W/"abc"', 'W/"abc"', True),
            ("weak", '"abc"', '"abc"', '"abc"', True),
            ("weak", '"x", W/"abc"', '"abc"', 'W/"abc"', True),
            ("suffix", '"abc-gzip"', '"abc"', '"abc-gzip"', True),
            ("suffix", '"abc-gzip"', '"abc-gzip"', '"abc-gzip"', True),
            ("weak", "*", '"abc"', 'W/"abc"', True),
        ],
    )
    async def test_a_304_has_the_tag_of_its_200(
        self, style: str, known: str, told: str, has: str, varies: bool
    ) -> None:
        sent = answer(b"", {"ETag": told}, status=304, kind="")
        reply = (await ask(sent, {**GZIP, "If-None-Match": known}, options={"etag": style})).response
        assert reply.headers["etag"] == has
        assert ("vary" in reply.headers) is varies

    @pytest.mark.parametrize(
        ("target", "varies"), [("/a.png", False), ("/a.css", True), ("/a.js?v=1", True), ("/a", True)]
    )
    async def test_the_type_of_a_304_is_told_by_its_path(self, target: str, varies: bool) -> None:
        sent = answer(b"", {"ETag": '"abc"'}, status=304, kind="")
        reply = (await ask(sent, {**GZIP, "If-None-Match": '"abc"'}, target=target)).response
        assert ("vary" in reply.headers) is varies
        assert reply.headers["etag"] == '"abc"'

    async def test_no_range_of_a_coded_answer(self) -> None:
        for tag, style in (('W/"abc"', "weak"), ('"abc-gzip"', "suffix")):
            driven = await ask(answer(), {"If-Range": tag, "Range": "bytes=5-"}, options={"etag": style})
            assert driven.forwarded is not None
            assert not driven.forwarded.headers.any_of(frozenset({"range", "if-range"}))

    @pytest.mark.parametrize("tag", ['"abc"', "Sat, 29 Oct 1994 19:43:31 GMT"])
    async def test_ranges_of_others_are_asked_for(self, tag: str) -> None:
        driven = await ask(answer(), {"If-Range": tag, "Range": "bytes=5-"})
        assert driven.forwarded is not None
        assert driven.forwarded.headers["if-range"] == tag
        assert driven.forwarded.headers["range"] == "bytes=5-"
