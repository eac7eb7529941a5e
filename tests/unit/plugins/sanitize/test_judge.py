from __future__ import annotations

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.sanitize import bodies, mending
from plugins.sanitize.config import Config
from plugins.sanitize.judge import Judge
from plugins.sanitize.values import Value, of_cookies, of_pairs, of_path

PIECES = st.sampled_from(
    [
        "'",
        '"',
        "<",
        ">",
        "%",
        "%2",
        "%c0%ae",
        "&#",
        "&lt;",
        "\\u",
        "{",
        "}",
        "[",
        "]",
        "${",
        "../",
        "or",
        "select",
        ";",
        "\0",
        "\ud800",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=6), max_size=12).map("".join)


def judge(**options: Any) -> Judge:
    return Judge(Config.model_validate({"mode": "clean", "paranoia": 3, **options}))


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_no_text_makes_it_fail_and_what_was_mended_is_harmless(text: str) -> None:
    looking = judge()
    found = looking.look([Value("query", "q", text), Value("form", "f", text, is_name=True)])
    for new in looking.mend(found).values():
        assert not [one for one in looking.look([Value("query", "q", new)]) if one.mode == "clean"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["json", "form", "multipart", "xml", "graphql"]))
def test_no_body_makes_it_fail(data: bytes, kind: str) -> None:
    found = judge().look(bodies.values(kind, data, "multipart/form-data; boundary=x"))
    mending.mended(kind, data, "multipart/form-data; boundary=x", mending.Changes(judge().mend(found)))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40).map(lambda data: data.decode("latin-1")))
def test_no_head_makes_it_fail(text: str) -> None:
    for values in (of_path(text), of_pairs("query", text), of_cookies(text)):
        judge().look(values)


def test_the_same_field_is_judged_by_the_mode_of_the_rule() -> None:
    found = judge(mode="block", rules={"xss": "observe", "xss.tag": "clean"}).look(
        [Value("query", "q", "<script>alert(1)")]
    )
    assert {one.rule.name: one.mode for one in found} == {
        "xss.tag": "clean",
        "xss.script": "observe",
        "xss.html": "observe",
    }


def test_very_many_attacks_cost_no_more_than_decides() -> None:
    many = [Value("query", f"q{number}", f"1' or {number}={number}--") for number in range(5000)]
    assert len(judge(mode="block").look(many)) < 200
    assert len(judge(mode="observe").look(many)) < 200


def test_what_is_only_observed_hides_nothing_that_is_refused() -> None:
    many = [Value("query", f"q{number}", f"1' or {number}={number}--") for number in range(500)]
    mixed = judge(mode="observe", rules={"xss": "block"})
    found = mixed.look([*many, Value("query", "last", "<script>alert(1)</script>")])
    assert "last" in {one.value.field for one in found if one.mode == "block"}
    assert mixed.score(found) >= mixed.threshold


def test_very_many_values_to_clean_are_looked_at_once_each() -> None:
    many = [Value("query", f"q{number}", f"\0{number}") for number in range(15_000)]
    begin = time.process_time()
    assert len(judge().look(many)) == 15_000
    assert time.process_time() - begin < 6


def test_the_score_is_that_of_what_is_to_be_refused() -> None:
    found = judge(mode="block", rules={"xss": "clean"}).look([Value("query", "q", "<script>1' or 1=1--")])
    assert found.score == sum(one.rule.score for one in found if one.rule.family != "xss") > 0


def test_markup_that_takes_long_to_clean_is_not_mended() -> None:
    looking = judge(paranoia=1)
    for times, count in ((1000, 1), (2000, 0)):
        value = Value("query", "q", "<div>" * times + "<script>x</script>")
        assert len(looking.mend(looking.look([value]))) == count
