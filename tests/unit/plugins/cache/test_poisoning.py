"""An origin that writes whatever it is sent into its page, and says that the page is everybody's.

An attacker asks first, a victim after him: what the victim gets must hold nothing of the attacker's.
"""

from __future__ import annotations

from typing import Any

from proxy.api import Response
from proxy.testing import Conversation

EVIL = "evil.example"

FIELDS = (
    *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"),
    *("X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-SSL", "X-Real-IP"),
    *("X_Forwarded_Host", "X-Forwarded_Host", "X.Forwarded.Host", "X_Original_URL", "X_HTTP_Method_Override"),
    *("Front-End-Https", "X-Forwarded-Method", "X-Forwarded-Path", "X-Forwarded-Protocol", "X-Forwarded-URI"),
    *("X-Host", "X-HTTP-Host-Override", "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override"),
    *("X-Original-Host", "X-Original-URL", "X-Override-URL", "X-Rewrite-URL", "X-URL-Scheme"),
    *("X-Middleware-Prefetch", "X-Now-Route-Matches", "Surrogate-Capability", "If-Match", "If-Unmodified-Since"),
    *("Proxy-Authorization", "Authorization", "Keep-Alive", "Trailer"),
)
METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "SEARCH", "LOCK")
SPELLINGS = (
    f"GET / HTTP/1.1\r\nHost: {EVIL}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: test:81\r\nX: {EVIL}\r\n\r\n",
    f"GET http://{EVIL}/ HTTP/1.1\r\nHost: {EVIL}\r\n\r\n",
    f"GET /?{EVIL} HTTP/1.1\r\nHost: test\r\n\r\n",
    f"GET //{EVIL}/ HTTP/1.1\r\nHost: test\r\n\r\n",
    f"GET /./?{EVIL} HTTP/1.1\r\nHost: test\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: test\r\nHost: {EVIL}\r\n\r\n",
    f"GET /#{EVIL} HTTP/1.1\r\nHost: test\r\n\r\n",
)
VARIED: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = (
    ("Cookie", {"Cookie": f"a={EVIL}"}, {}),
    ("COOKIE , x-other", {"Cookie": f"a={EVIL}"}, {"Cookie": "a=1"}),
    ("X-A, X-B", {"X-A": f"1, {EVIL}"}, {"X-A": "1", "X-B": EVIL[:4]}),
    ("X-A", {"X-A": f'"{EVIL}'}, {"X-A": '"'}),
    ("*", {"X-A": EVIL}, {}),
    ("X-A, *", {"X-A": EVIL}, {"X-A": EVIL[:4]}),
    ("Accept-Language", {"Accept-Language": f"{EVIL}, en"}, {"Accept-Language": "en"}),
    ("User-Agent", {"User-Agent": EVIL}, {"User-Agent": EVIL.upper()}),
)


class Mirror:
    """Answers with all that it was sent.

    :param fields: of its answers.
    """

    def __init__(self, *fields: str) -> None:
        self._fields = fields

    async def __call__(self, conversation: Conversation) -> None:
        body = await conversation.upload()
        seen = conversation.seen
        lines = [f"{name}: {value}" for name, value in seen.headers.items()]
        page = "\n".join([f"{seen.method} {seen.target}", *lines, repr(body)])
        head = ["HTTP/1.1 200 OK", *self._fields, f"Content-Length: {len(page)}", "", ""]
        await conversation.send(("\r\n".join(head) + ("" if seen.method == "HEAD" else page)).encode("latin-1"))


async def test_a_field_of_an_attacker_is_in_nobody_elses_answer(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(Mirror("Cache-Control: max-age=60"))
        for field in FIELDS:
            for number, value in enumerate((EVIL, f"a, {EVIL}")):
                await kit.get(f"/{field}/{number}", {field: value})
                got = (await kit.get(f"/{field}/{number}")).text
                assert got.startswith(f"GET /{field}/{number}\n"), field
                assert EVIL not in got, field


async def test_the_mirror_shows_what_only_the_origin_can_prevent(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(Mirror("Cache-Control: max-age=60"))
        await kit.get("/", {"X-Anything": EVIL})
        assert EVIL in (await kit.get("/")).text
        kit.upstream.reply(Mirror("Cache-Control: max-age=60", "Vary: X-Anything"))
        await kit.get("/other", {"X-Anything": EVIL})
        assert EVIL not in (await kit.get("/other")).text


async def test_the_answer_to_another_method_is_no_page(cached: Any) -> None:
    async with cached(methods=["GET", "HEAD", "POST", "PROPFIND"]) as kit:
        kit.upstream.reply(Mirror("Cache-Control: public, max-age=60", "Content-Location: /"))
        for method in METHODS:
            for sent, body in ((method, EVIL.encode()), ("HEAD", b"")):
                await kit.request(sent, f"/{method}", {"X-Anything": EVIL}, body)
            got = (await kit.get(f"/{method}")).text
            assert got.startswith(f"GET /{method}\n")
            assert EVIL not in got, method


async def test_the_body_of_a_get_is_in_its_own_answer_alone(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(Mirror("Cache-Control: max-age=60"))
        assert EVIL in (await kit.request("GET", "/", body=EVIL.encode())).text
        assert EVIL not in (await kit.get("/")).text


async def test_other_spellings_of_a_url_have_answers_of_their_own(cached: Any) -> None:
    for attack in SPELLINGS:
        async with cached() as kit, kit.wire() as wire:
            kit.upstream.reply(Mirror("Cache-Control: max-age=60"))
            await wire.send(attack.encode())
            await wire.reply()
            got = (await kit.get("/")).text
            assert got.startswith("GET /\n"), attack
            assert EVIL not in got, attack


async def test_what_varies_is_for_who_asked_alike(cached: Any) -> None:
    async with cached() as kit:
        for number, (vary, evil, victim) in enumerate(VARIED):
            kit.upstream.reply(Mirror("Cache-Control: max-age=60", f"Vary: {vary}"))
            assert EVIL in (await kit.get(f"/{number}", evil)).text
            got = await kit.get(f"/{number}", victim)
            assert EVIL not in got.text, vary
            assert "hit" not in got.headers["Cache-Status"]


async def test_a_name_that_looks_static_makes_no_page_everybodys(cached: Any) -> None:
    targets = ("/account/x.css", "/account;x.js", "/account%0ax.png", "/account/%3fx.css", "/account.css/")
    async with cached() as kit:
        for said in ("private", "no-store", "private, max-age=60", "no-cache", "max-age=0", ""):
            control = f"Cache-Control: {said}" if said else "X-Nothing: said"
            kit.upstream.reply(Mirror(control, "Content-Type: text/css"))
            for target in targets:
                assert EVIL in (await kit.get(target, {"Cookie": EVIL})).text
                assert EVIL not in (await kit.get(target)).text, (target, said)


async def test_a_part_that_nobody_has_takes_the_page_from_nobody(cached: Any) -> None:
    async with cached() as kit:
        for control in ("max-age=60", "public, s-maxage=60"):
            target = f"/{control.partition(',')[0]}"
            kit.upstream.reply(Response.text(416, "", {"Cache-Control": control, "Content-Range": "bytes */2"}))
            assert (await kit.get(target, {"Range": "bytes=9-"})).status == 416
            kit.upstream.reply(Response.text(200, "ok", {"Cache-Control": control}))
            assert (await kit.get(target)).status == 200, control
