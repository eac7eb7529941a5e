from __future__ import annotations

import pytest

from tests.unit.sanitize.families import families, rules


@pytest.mark.parametrize(
    "text",
    [
        *(
            "(system)('uname')",
            "[system][0](ls)",
            "(['passthru'])[0]('id')",
            "'system'('id')",
            "(string)\"exec\"('id')",
        ),
        *("(sy.(st).em)('id')", "$y = 'sys'.'tem';($y)('id')", "(z)[0][0]('uname')", "$_[0]('id')", "eval($code)"),
        *("${$s20}['q53'](13)", "$GLOBALS['cf90'](14)", "@$f(22)", "${@print(1)}", "print(md5(31337))"),
        *('O:8:"stdClass":0:{}', 'a:1:{i:0;O:3:"Foo":1:{s:1:"a";i:1;}}', "FFI::cdef('int system(char*);')"),
        *("gethostbyname(lc('hit.x.example'))", "response.write(9876*1234)", "'.print(md5(1)).'"),
    ],
)
def test_calls_that_run_code_are_found_however_they_are_written(text: str) -> None:
    assert "shell.code" in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *("the system (see below)", "arr[0](x)", "$('#id').show()", "foo(bar)(baz)", "a.b(c).d(e)", "model.eval(x)"),
        *(
            '{"o":"a","c":1}',
            'a:2:{i:0;s:1:"a";i:1;s:1:"b";}',
            "f(x).(see note)",
            "costs $5 (or more)",
            "$name (draft)",
        ),
        *("(a.b) (c)", "print(total)", "assertion (weak)"),
    ],
)
def test_other_calls_are_left_alone(text: str) -> None:
    assert "shell" not in families(text)


def test_calls_put_together_take_linear_time() -> None:
    for text in ("('a'." * 20_000, "$a[" * 30_000 + "(", 'o:1:"' * 20_000, "(system" * 20_000, "@$a" * 30_000):
        assert "path" not in families(text)
