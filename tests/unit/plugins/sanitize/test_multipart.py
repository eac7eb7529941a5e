from __future__ import annotations

import base64
import time

import pytest

from plugins.sanitize.multipart import values

TYPE = "multipart/form-data; boundary=B"
TEXT = "1' or 1=1"


def seen(data: bytes, content_type: str = TYPE) -> list[tuple[str, str, bool]]:
    return [(value.field, value.text, value.is_name) for value in values(data, content_type)]


def part(head: str, content: str = TEXT) -> bytes:
    return f"--B\r\n{head}\r\n\r\n{content}\r\n--B--\r\n".encode()


FORM = 'Content-Disposition: form-data; name="a"'


@pytest.mark.parametrize(
    ("rest", "files"),
    [
        (';\r\n filename="../x"', ["../x"]),
        ('; filename="x"; filename="../y"', ["x", "../y"]),
        ("; filename=\"x\"; filename*=UTF-8''..%2Fy", ["x", "../y"]),
        ('; filename*1="/y"; filename*0=".."', ["../y"]),
        ('; filename="x"\r\nContent-Disposition: form-data; name="a"; filename="../y"', ["x", "../y"]),
        ('; FileName = "a\\"b"', ['a"b']),
        ('; filename="..\\..\\x"', ["..\\..\\x"]),
        ("; filename=../x", ["../x"]),
    ],
)
def test_every_name_of_a_file_is_given(rest: str, files: list[str]) -> None:
    assert [text for _, text, is_name in seen(part(FORM + rest)) if is_name] == files


@pytest.mark.parametrize(
    ("rest", "is_shown"),
    [
        ('; filename="x"', False),
        ('; filename=""', True),
        ("; filename*=UTF-8''x", True),
        (';\r\n filename="x"', True),
        ('; filename="x"; filename=""', True),
        ('; filename="x\\"', True),
        ("; filename='x'", True),
        ('; filename="x"\r\nContent-Disposition: form-data; name="a"', True),
    ],
)
def test_what_is_a_file_to_some_parsers_only_is_looked_at(rest: str, is_shown: bool) -> None:
    assert (("a", TEXT, False) in seen(part(FORM + rest))) is is_shown


def test_a_disposition_that_is_read_in_two_ways_is_shown_whole() -> None:
    said = 'form-data; name="a"; filename="a\\"; filename="../../etc/passwd"'
    assert ("a", said, False) in seen(part(f"Content-Disposition: {said}"))


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (part(FORM), "multipart/form-data"),
        (part(FORM), "multipart/form-data; boundary=Z"),
        (part(FORM), "multipart/form-data; boundary=Z; boundary=B"),
        (part(FORM), 'multipart/form-data; boundary="B'),
        (part(FORM, "x\r\n--Bc"), TYPE),
        (b"x--B\r\n\r\ny", TYPE),
        (b"x" + part(FORM) + part(FORM + '; filename="x"'), TYPE),
    ],
    ids=["none", "another", "two", "open", "longer", "within", "some within"],
)
def test_a_body_of_which_it_is_not_clear_where_parts_end_is_one_text(data: bytes, content_type: str) -> None:
    assert seen(data, content_type) == [("", data.decode(), False)]


@pytest.mark.parametrize("begins", ["multipart/form-data; ", "multipart/mixed; ", "multipart/form-data, "])
@pytest.mark.parametrize("says", ["boundary=Z,B", "xboundary=B; boundary=Z", 'boundary="Z B"'])
def test_a_boundary_that_is_another_to_some_parsers_makes_the_body_one_text(begins: str, says: str) -> None:
    hidden = part(FORM).decode()
    for boundary in ("Z", "Z,B", "Z B"):
        data = f'--{boundary}\r\n{FORM}; filename="x"\r\n\r\n{hidden}\r\n--{boundary}--'.encode()
        assert ("", data.decode(), False) in seen(data, begins + says)


def test_boundaries_of_browsers_are_clear() -> None:
    boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
    data = part(FORM).replace(b"--B", f"--{boundary}".encode())
    assert seen(data, f"multipart/form-data; boundary={boundary}") == [("a", TEXT, False)]


def test_of_other_multipart_types_only_fields_are_shown() -> None:
    data = b"--B\r\nContent-Type: application/http\r\n\r\nGET /etc/passwd HTTP/1.1\r\n" + part(FORM)
    assert seen(data, "multipart/mixed; boundary=B") == [("a", TEXT, False)]
    assert seen(data[:60], "multipart/mixed; boundary=B") == []


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"--B\n" + FORM.encode() + b"\n\nx'y\n--B--", [("a", "x'y", False)]),
        (
            b'--B \r\nContent-Disposition: form-data; name="a[\']"\r\n\r\nx--By\r\n--B--',
            [("a[']", "a[']", True), ("a[']", "x--By", False)],
        ),
        (b"--B\r\n\r\nx\r\n--B--", [("", "x", False)]),
        (b"--B\r\nx", [("", "x", False)]),
        (b'--B\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\nx', [("a", "x", False)]),
        (b"--B\r\n" + FORM.encode() + b"\r\n\r\n\r\n--B--\r\n", []),
    ],
    ids=["lines", "names", "headless", "endless", "twice", "empty"],
)
def test_parts_are_read_leniently(data: bytes, wanted: list[tuple[str, str, bool]]) -> None:
    assert seen(data) == wanted


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("Content-Transfer-Encoding: BASE64", base64.b64encode(TEXT.encode())),
        ("Content-Transfer-Encoding: quoted-printable", TEXT.replace("=", "=3D").encode()),
        ("Content-Type: text/plain; charset=ibm037", TEXT.encode("ibm037")),
        ("Content-Type: text/plain; charset=utf-7", TEXT.replace("'", "+ACc-").encode()),
    ],
)
def test_coded_values_are_shown_as_they_are_meant_too(field: str, content: bytes) -> None:
    data = b"--B\r\n" + f"{FORM}\r\n{field}\r\n\r\n".encode() + content + b"\r\n--B--"
    texts = [text for _, text, _ in seen(data)]
    assert len(texts) == 2
    assert texts[1] == TEXT


@pytest.mark.parametrize("field", ["Content-Transfer-Encoding: base64", "Content-Type: text/plain; charset=utf-nosuch"])
def test_what_cannot_be_decoded_is_shown_as_it_came(field: str) -> None:
    assert seen(part(f"{FORM}\r\n{field}", "x'yz")) == [("a", "x'yz", False)]


def test_bytes_that_are_too_long_are_told() -> None:
    data = b'--B\r\nContent-Disposition: form-data; name="a"; filename="..\xc0\xafx"\r\n\r\n\r\n--B--'
    assert [(value.text, value.overlong) for value in values(data, TYPE)] == [("../x", True)]


@pytest.mark.parametrize("piece", [";", ';"', ';a="\\"', ";a=", "\\", "\r\n ", "\r\n--B", "--B", '"', " ="])
def test_time_is_linear_in_the_length(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    before = time.process_time()
    list(values(part(f'{FORM}; x="a{text}'), TYPE))
    list(values(part(FORM + text), TYPE + text))
    list(values(part(FORM, text), TYPE))
    assert time.process_time() - before < 10
