from __future__ import annotations

import pytest

from proxy.sanitize import validate_email, validate_filename, validate_url


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com",
        "a.b+c@sub.example.co",
        "o'brien@example.ie",
        "josé@exämple.de",
        "x@xn--bcher-kva.example",
        "x@हिन्दी.भारत",
        "😀@example.com",
    ],
)
def test_addresses(text: str) -> None:
    assert validate_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b.com",
        "a@b",
        "a..b@c.de",
        ".a@b.de",
        "a@-b.de",
        "a b@c.de",
        "a@b.de\n",
        "a@b@c.de",
        "a@1.2.3.4",
        "x" * 65 + "@b.de",
        "a@" + "b" * 64 + ".de",
        "a@b_c.de",
        "a\0@b.de",
        "a\u202eb@c.de",
        "a\u2028@c.de",
        "a\x85@c.de",
        "\ufeffa@c.de",
        "\ud800@c.de",
        "a@c.de.",
        "a@\uff43.de",
        "a@c².de",
        "a@\u0301c.de",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert not validate_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com",
        "https://example.com:8443/a?b=c#d",
        "http://127.0.0.1/",
        "http://[::1]:80/",
        "https://bücher.example/ü",
        "http://हिन्दी.भारत/",
        "http://localhost./",
    ],
)
def test_urls(text: str) -> None:
    assert validate_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "http://",
        "http://a b/",
        "http://user@host.de/",
        "http://x\\y/",
        "http://x:99999/",
        "http://x:0/",
        "http://1.2.3/",
        "http://[::1/",
        "http://-x.de/",
        "http://x\n.de/",
        "http://" + "a" * 9000,
        "http://[::1]evil.com/",
        "http://exa[::1]mple.com/",
        "http://[::1%25eth0]/",
        "http://[v1.x]/",
        "http://0x7f000001/",
        "http://a.0x7f/",
        "http://a.b/\u202e",
        "http://a.b/\ud800",
        "http://exa\uff4dple.com/",
    ],
)
def test_what_is_no_url(text: str) -> None:
    assert not validate_url(text)


def test_other_schemes_can_be_allowed() -> None:
    assert validate_url("ftp://example.com/x", schemes=("ftp",))
    assert not validate_url("http://example.com/x", schemes=("ftp",))


@pytest.mark.parametrize("text", ["a.txt", ".hidden", "naïve (1).pdf", "no extension", "constant.txt", "a.b.c"])
def test_file_names(text: str) -> None:
    assert validate_filename(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a\0b",
        "con",
        "NUL.txt",
        "com1.log",
        "a.",
        "a ",
        " a",
        "x" * 256,
        "a:b",
        "a?",
        "\u202etxt.exe",
        "a\nb",
        "com¹",
        "LPT³.txt",
        "CONIN$",
        "a\x85b",
        "a\u2028b",
        "a\u200fb",
    ],
)
def test_what_is_no_file_name(text: str) -> None:
    assert not validate_filename(text)
