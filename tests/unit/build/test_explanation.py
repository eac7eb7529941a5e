"""Explanations as text and as JSON."""

from __future__ import annotations

import json

from proxy.build.explanation import Candidate, Explanation, Forward, Made, Step
from proxy.patience import Patience

FORWARD = Forward(
    "app", "http://127.0.0.1:9001", "GET", "/x", "a.example", (("Cookie", "c=1"), ("X-A", "b")), Patience()
)
STEPS = (
    Step("request_id", "request_id", "identity", ran=True, reached=True, says="makes an id", changes=()),
    Step("stamp", "headers", "rewrite", ran=True, reached=True, says="", changes=("request: X-A is b",)),
    Step("mine", "./mine.py", "rewrite", ran=False, reached=True, says="", changes=()),
    Step("events", "events", "events", ran=False, reached=False, says="", changes=()),
)
CANDIDATES = (Candidate("app", "/*", True, "the first that fits"), Candidate("api", "/api/*", False, "no"))


def explanation(forward: Forward | None = FORWARD, made: Made | None = None) -> Explanation:
    return Explanation("GET http://a.example/x", "127.0.0.1", CANDIDATES, "app", STEPS, forward, made, ("mine",))


def test_the_text_answers_each_question() -> None:
    assert (
        explanation().render()
        == """\
GET http://a.example/x   (from 127.0.0.1)

routes
> app  /*: the first that fits
  api  /api/*: no

chain
  request_id  (identity) makes an id
  stamp       (headers, rewrite) request: X-A is b
  mine        (./mine.py, rewrite) not run here; it does not describe itself
  events      (events) not reached on the way in

forward
  upstream  app
  endpoint  http://127.0.0.1:9001
  request   GET /x
  Host      a.example
  Cookie    ***
  X-A       b
  timeouts  connect 5 s, first byte 60 s, between bytes 60 s

not run, and may answer instead: mine"""
    )


def test_an_answer_says_who_made_it() -> None:
    by_plugin = explanation(None, Made(410, "respond", "", (("Set-Cookie", "a=1"),))).render()
    assert "\nanswer\n  status      410 by respond\n  Set-Cookie  ***" in by_plugin
    by_us = explanation(None, Made(404, "", "no route matches", ())).render()
    assert "404 by the gateway: no route matches" in by_us


def test_what_the_access_log_hides_is_hidden_here() -> None:
    fields = (("X-SessionId", "a1"), ("Cf-Access-Jwt-Assertion", "b2"), ("X-Page", "c3"))
    told = explanation(None, Made(200, "", "", fields)).to_dict()
    assert told["answer"]["headers"] == [["X-SessionId", "***"], ["Cf-Access-Jwt-Assertion", "***"], ["X-Page", "c3"]]


def test_nothing_to_consider_is_said() -> None:
    empty = Explanation("GET http://a/", "::1", (), "", (), None, Made(400, "", "malformed", ()), ())
    assert "routes\n  none\n" in empty.render()
    assert empty.to_dict()["route"] is None


def test_the_json_holds_the_same_and_hides_the_same() -> None:
    told = json.loads(json.dumps(explanation().to_dict()))
    assert told["forward"]["headers"] == [["Cookie", "***"], ["X-A", "b"]]
    assert told["forward"]["timeouts"] == {
        "connect": 5.0,
        "first_byte": 60.0,
        "between_bytes": 60.0,
        "total": None,
    }
    assert told["forward"]["on_error"] is None
    assert [route["won"] for route in told["routes"]] == [True, False]
    assert [step["reached"] for step in told["chain"]] == [True, True, True, False]
    assert (told["answer"], told["may_answer"]) == (None, ["mine"])
    made = explanation(None, Made(401, "", "no", (("WWW-Authenticate", "Bearer"),))).to_dict()["answer"]
    assert made == {"status": 401, "by": None, "reason": "no", "headers": [["WWW-Authenticate", "Bearer"]]}
