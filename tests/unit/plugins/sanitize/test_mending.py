from __future__ import annotations

from plugins.sanitize.mending import mended, mended_pairs

MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="t"\r\n\r\n1\' or 1=1\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="../x.php"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG<script>\r\n"
    b"--XX--\r\n"
)


def test_json_is_mended_without_another_byte_changed() -> None:
    data = b'{ "a" : "<b>\\u0000x", "n": 1.50e3, "a": "keep \\u00e9" }'
    assert mended("json", data, {"<b>\0x": "<b>x</b>"}) == b'{ "a" : "<b>x</b>", "n": 1.50e3, "a": "keep \\u00e9" }'


def test_forms_are_mended_pair_by_pair() -> None:
    assert mended_pairs("a=%00x+y&b=%7e&c", {"\0x y": "x y"}) == "a=x+y&b=%7e&c"
    assert mended("form", b"a=1&b=%00", {"\0": ""}) == b"a=1&b="


def test_file_names_are_mended_in_multipart_bodies() -> None:
    assert b'filename="x.php"' in mended("multipart", MULTIPART, {"../x.php": "x.php"})
    assert b"\x89PNG" in mended("multipart", MULTIPART, {"../x.php": "x.php"})
