"""What can happen to a request, one case each."""

from __future__ import annotations

import asyncio
from typing import Any

from proxy.body import Body
from proxy.exchange import Exchange
from proxy.message import Request, Response
from proxy.testing import Conversation
from tests.contract.chains import Acts, Case, breaks, upper

DOES_NOTHING: Acts = {}
POST = b"POST /up HTTP/1.1\r\nHost: example.test\r\nContent-Length: 11\r\n\r\nhello world"
CHUNKED = (
    b"POST /up HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"
)
ANSWER_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nX-Sum: 2\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
HEAD_ONLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n"
PROBLEM = ("request.completed", "api.error")
BROKEN = ("plugin.error", "request.completed", "api.error")


def answer(status: int, text: str = "mine") -> Any:
    return lambda x: Response.text(status, text)


def fail(x: Exchange) -> None:
    raise ValueError("a plugin's own")


def stale(x: Exchange) -> Response | None:
    return Response.text(200, f"stale after {x.error.code}") if x.error is not None else None


async def read(x: Exchange) -> None:
    x.request.headers["X-Read"] = (await x.request.body.read(100)).decode()


async def read_too_much(x: Exchange) -> None:
    await x.request.body.read(5)


async def read_answer(x: Exchange) -> Response:
    assert x.response is not None
    return Response(200, {"X-Read": "yes"}, (await x.response.body.read(100)).upper())


def filter_request(x: Exchange) -> None:
    x.request.body = x.request.body.through(upper)


def filter_answer(x: Exchange) -> Response:
    assert x.response is not None
    return Response(x.response.status, x.response.headers, x.response.body.through(upper))


def break_request(x: Exchange) -> None:
    x.request.body = x.request.body.through(breaks)


def break_answer(x: Exchange) -> Response:
    assert x.response is not None
    return Response(x.response.status, x.response.headers, x.response.body.through(breaks))


def replace_body(x: Exchange) -> None:
    assert x.response is not None
    x.response.body = Body(b"mine")


async def cancelled(x: Exchange) -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


def fetch(then: str) -> Any:
    async def hook(x: Exchange) -> Response | None:
        response = await x.fetch(Request("GET", "/fetched", host="other.test"))
        if then == "closed":
            response.close()
        elif then == "read":
            return Response(200, {"X-Status": str(response.status)}, b"got " + await response.body.read(500000))
        elif then == "given":
            return response
        elif then == "raises":
            response.close()
            raise ValueError("not that")
        return None

    return hook


def stamp(x: Exchange) -> None:
    x.request.headers["X-Try"] = str(x.attempts)


async def large(conversation: Conversation) -> None:
    await conversation.upload()
    await conversation.send(LARGE, *[b"x" * 40000] * 10)


async def dies_before(conversation: Conversation) -> None:
    await conversation.upload()
    conversation.abort()


async def dies_amid(conversation: Conversation) -> None:
    await conversation.upload()
    await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    conversation.close()


async def continues(conversation: Conversation) -> None:
    await conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    await conversation.upload()
    await conversation.send(OK)


def there_and_back(count: int) -> str:
    inward = [f"{i} {hook}" for hook in ("request", "attempt") for i in range(count)]
    outward = [f"{i} {hook}" for hook in ("response", "complete") for i in reversed(range(count))]
    return ", ".join([*inward, *outward])


def as_far_as(at: int) -> str:
    """Of three plugins, the one at `at` answers."""
    inward, outward = [f"{i} request" for i in range(at + 1)], [f"{i} response" for i in reversed(range(at))]
    return ", ".join([*inward, *outward, *(f"{i} complete" for i in (2, 1, 0))])


def in_all_hooks(act: Any, **more: Any) -> list[Acts]:
    return [{hook: act, **more} for hook in ("on_request", "on_attempt", "on_response")]


EXPECTING = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n", 1)
HEAD = b"HEAD /a HTTP/1.1\r\nHost: example.test\r\n\r\n"
NO_BODY = {204: b"HTTP/1.1 204 No Content\r\n\r\n", 304: b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'}

CASES = [
    Case("pass through", (DOES_NOTHING,) * 3, diary=there_and_back(3)),
    Case("nothing in the chain", ()),
    *(
        Case(
            f"answered by plugin {at}",
            tuple({"on_request": answer(202)} if i == at else DOES_NOTHING for i in range(3)),
            status=202,
            body=b"mine",
            diary=as_far_as(at),
        )
        for at in range(3)
    ),
    *(
        Case(
            f"answer replaced by plugin {at}",
            tuple({"on_response": answer(203)} if i == at else DOES_NOTHING for i in range(3)),
            status=203,
            body=b"mine",
            diary=there_and_back(3),
        )
        for at in range(3)
    ),
    Case("large answer replaced", ({"on_response": answer(203)},), answers=(large,), status=203, body=b"mine"),
    Case("large answer's body replaced", ({"on_response": replace_body},), answers=(large,), body=b"mine"),
    Case("large answer", (DOES_NOTHING,), answers=(large,), body=b"x" * 400000, exact=False),
    Case("large answer filtered", ({"on_response": filter_answer},), answers=(large,), body=b"X" * 400000, exact=False),
    Case("refused", (DOES_NOTHING,) * 2, refused=True, status=502, body=None, events=PROBLEM),
    Case(
        "refused, made good",
        ({"on_response": stale}, DOES_NOTHING),
        refused=True,
        body=b"stale after connection_refused",
    ),
    Case("dies before its answer", (DOES_NOTHING,), answers=(dies_before,), status=502, body=None, events=PROBLEM),
    Case("dies in its answer", (DOES_NOTHING,), answers=(dies_amid,), status=0, body=None, exact=False),
    *(
        Case(f"raises in {next(iter(a))}", (DOES_NOTHING, a), status=500, body=None, events=BROKEN)
        for a in in_all_hooks(fail)
    ),
    *(
        Case(f"raises in {next(iter(a))}, left out", (a, DOES_NOTHING), diary=there_and_back(2), events=BROKEN[:2])
        for a in in_all_hooks(fail, on_error="skip")
    ),
    Case("raises in on_complete", ({"on_complete": fail}, DOES_NOTHING), events=("request.completed", "plugin.error")),
    Case("cancelled from inside", ({"on_request": cancelled},), status=500, body=None, events=BROKEN),
    *(
        Case(f"nonsense in {next(iter(a))}", (a,), status=500, body=None, events=BROKEN)
        for a in in_all_hooks(lambda x: 42)
    ),
    Case("an answer before a try", ({"on_attempt": answer(200)},), status=500, body=None, events=BROKEN),
    Case("a status that is none", ({"on_request": answer(42)},), status=500, body=None, events=PROBLEM),
    Case("upload", (DOES_NOTHING,), request=POST),
    Case("upload in chunks", (DOES_NOTHING,), request=CHUNKED, exact=False),
    Case("upload read", ({"on_request": read},), request=POST),
    Case("upload in chunks read", ({"on_request": read},), request=CHUNKED, exact=False),
    Case("upload over the limit", ({"on_request": read_too_much},), request=POST, status=413, body=None, whole=True),
    Case("upload filtered", ({"on_request": filter_request},), request=POST, exact=False),
    Case(
        "upload's filter breaks",
        ({"on_request": break_request},),
        request=POST,
        status=500,
        body=None,
        events=BROKEN,
        whole=True,
    ),
    Case("upload expected by a plugin", ({"on_request": read},), request=EXPECTING, exact=False),
    Case("upload expected by the upstream", (DOES_NOTHING,), request=EXPECTING, answers=(continues,), exact=False),
    Case("upload answered unread", ({"on_request": answer(403)},), request=POST, status=403, body=b"mine", whole=True),
    Case("answer in chunks", (DOES_NOTHING,), answers=(ANSWER_CHUNKED,), body=b"onetwo", exact=False),
    Case("answer filtered", ({"on_response": filter_answer},), answers=(ANSWER_CHUNKED,), body=b"ONETWO", exact=False),
    Case("answer read", ({"on_response": read_answer},), answers=(ANSWER_CHUNKED,), body=b"ONETWO"),
    Case(
        "answer's filter breaks",
        ({"on_response": break_answer},),
        answers=(ANSWER_CHUNKED,),
        status=0,
        body=None,
        events=BROKEN[:2],
        exact=False,
    ),
    Case("HEAD", (DOES_NOTHING,), request=HEAD, answers=(HEAD_ONLY,), body=b""),
    Case("HEAD answered", ({"on_request": answer(200)},), request=HEAD, body=b""),
    Case(
        "HEAD filtered", ({"on_response": filter_answer},), request=HEAD, answers=(NO_BODY[304],), status=304, body=b""
    ),
    *(Case(f"{s}", (DOES_NOTHING,), answers=(a,), status=s, body=b"") for s, a in NO_BODY.items()),
    *(
        Case(f"{s} filtered", ({"on_response": filter_answer},), answers=(a,), status=s, body=b"")
        for s, a in NO_BODY.items()
    ),
    Case("interim", (DOES_NOTHING,), answers=(EARLY + OK,)),
    Case("no route", (DOES_NOTHING,) * 2, path="/elsewhere", status=404, body=None),
    Case("no route, made good", ({"on_response": stale},), path="/elsewhere", body=b"stale after no_route"),
    *(
        Case(
            f"fetched in {hook}, {then}",
            (DOES_NOTHING, {hook: fetch(then)}, DOES_NOTHING),
            body=None if then == "given" else b"ok",
        )
        for hook in ("on_request", "on_response")
        for then in ("closed", "unread", "given")
    ),
    *(
        Case(f"fetched in {hook}, read", (DOES_NOTHING, {hook: fetch("read")}, DOES_NOTHING), body=b"got ok")
        for hook in ("on_request", "on_response")
    ),
    Case(
        "fetched, large", ({"on_request": fetch("read")},), answers=(large,), body=b"got " + b"x" * 400000, exact=False
    ),
    Case("fetched, large, closed", ({"on_request": fetch("closed")},), answers=(large, OK)),
    Case("fetched, and raises", ({"on_request": fetch("raises")},), status=500, body=None, events=BROKEN),
    Case("fetched from who refuses", ({"on_request": fetch("read")},), refused=True, body=None),
    Case(
        "tried again",
        ({"on_attempt": stamp},),
        answers=(BUSY, OK),
        retry="{attempts: 1, on: [503]}",
    ),
]
