from __future__ import annotations

import pytest

from tests.unit.sanitize.families import rules


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("../../../etc/passwd", "path.climb"),
        ("..\\..\\windows\\win.ini", "path.climb"),
        ("/../x", "path.climb"),
        ("images/../../x", "path.climb"),
        ("../../../../secret.txt", "path.climb"),
        ("..%2fconfig.php", "path.encoded"),
        ("%2e%2e/x", "path.encoded"),
        ("....//....//x", "path.encoded"),
        ("..;/manager", "path.encoded"),
        ("0x2e0x2e/x", "path.encoded"),
        ("..%c0%afx", "path.encoded"),
        ("/etc/passwd", "path.file"),
        ("file=/etc/./shadow", "path.file"),
        ("/proc/self/environ", "path.file"),
        ("/etc/", "path.file"),
        (".hg/store", "path.file"),
        ("/opt/tomcat/conf/server.xml", "path.file"),
        ("/tmp/sess_0a1b", "path.file"),
        ("C:\\sysprep.inf", "path.file"),
        ("/vpn/../vpns/cfg/smb.conf", "path.climb"),
        ("C:\\boot.ini", "path.file"),
        ("WEB-INF/web.xml", "path.file"),
        ("/var/www/.htaccess", "path.file"),
        ("php://filter/convert.base64-encode/resource=index", "path.wrapper"),
        ("file:///home/x", "path.wrapper"),
        ("expect://id", "path.wrapper"),
    ],
)
def test_attacks_are_found_by_their_rules(text: str, rule: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "../src/main.py",
            "/home/alice/report (final).docx",
            "C:\\Users\\bob\\notes.txt",
            "wait... what?",
            "and so on..",
        ),
        *(
            "/usr/share/doc/x",
            "edit your /etc/hosts file",
            "https://example.com/a/../b",
            "1..10",
            "./x/y",
            "a/b/c",
            "~/x",
        ),
        *(
            "\\\\server\\share\\x",
            "see /etc/passwd and its friends",
            "v1.2.3...v1.2.4",
            "access.login",
            "../app.conf",
            "desktop.ini",
            "../images/logo.png",
        ),
    ],
)
def test_ordinary_paths_are_left_alone(text: str) -> None:
    assert rules(text) == set()


def test_relative_paths_are_told_at_level_2() -> None:
    assert rules("../src/main.py", paranoia=2) == {"path.relative"}


def test_system_files_in_prose_are_told_at_level_2() -> None:
    assert rules("edit your /etc/hosts file", paranoia=2) == {"path.mention"}
