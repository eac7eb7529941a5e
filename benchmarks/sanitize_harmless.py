"""Harmless texts that are made rather than fetched, always the same ones (seeded).

They are what ordinary people and programs put into parameters, with a liking for what filters trip over.
"""

from __future__ import annotations

import base64
import importlib
import json
import random
from collections.abc import Iterator
from urllib.parse import quote

_WORDS = (
    *(
        "order",
        "select",
        "union",
        "where",
        "drop",
        "table",
        "group",
        "having",
        "update",
        "delete",
        "insert",
        "and",
        "or",
    ),
    *("not", "like", "from", "by", "the", "best", "menu", "hotel", "cheap", "flights", "to", "paris", "python", "sort"),
    *(
        "list",
        "how",
        "cat",
        "find",
        "who",
        "kill",
        "process",
        "sleep",
        "time",
        "date",
        "case",
        "when",
        "then",
        "script",
    ),
    *(
        "alert",
        "image",
        "style",
        "object",
        "java",
        "shoes",
        "red",
        "size",
        "10",
        "2024",
        "iphone",
        "15",
        "vs",
        "&",
        "+",
    ),
    *(
        "-",
        "near",
        "me",
        "review",
        "$100",
        "50%",
        "c++",
        "c#",
        "node.js",
        "rock'n'roll",
        "children's",
        '"exact',
        'phrase"',
    ),
)
_PROSE = (
    "select the best from the menu or drop by",
    "I'd like to insert a coin and select a song from the jukebox.",
    "Where did you come from, and where = home?",
    "The union selects its delegates; the table is set -- dinner at 8.",
    "Drop the table off at Bob's, then update me.",
    "Please delete my account, or disable it; I don't need it.",
    "He said 'or' and she said 'and' -- they disagreed.",
    "O'Brien and O'Neil; D'Angelo or L'Oreal",
    "Don't drop it. It's 1 or 2, and 3 = 1 + 2",
    "In SQL, SELECT reads rows and DELETE FROM removes them.",
    "Use UNION to combine two SELECT statements",
    "We order by phone and group by size, having tried both",
    "exec summary: declare victory, then go home",
    "What's the difference between GROUP BY and ORDER BY?",
    "if a < b and b > c then a <> c",
    "5 > 3 && 2 < 4",
    "Q&A; R&D; M&A",
    "<3 you all :-)",
    "Tom & Jerry; Ben & Jerry's | Häagen-Dazs",
    "price between 10 and 20 or over 100",
    "He asked: 'is 1=1 true?' and I said yes",
    "rock 'n' roll; drum 'n' bass",
    "from: alice to: bob; subject: hi",
    "See https://example.com/?a=1&b=2#c (it's good)",
    "the cat sat; the dog ran | the end",
    "echo of the past; sleep well & dream",
    "1' 6\" tall, 5' 11\" for her",
    "don't stop me now -- I'm having such a good time",
    "JavaScript: The Good Parts (2008)",
    "onload times were slow; one=1, once upon a time = fun",
)


def harmless() -> dict[str, Iterator[str]]:
    """Harmless texts by kind."""
    return {
        "prose about SQL": _sql_prose(),
        "searches": _searches(),
        "tokens": _tokens(),
        "emoji and scripts": _scripts(),
        "URLs": _urls(),
        "file paths": _file_paths(),
        "values": _values(),
    }


def _sql_prose() -> Iterator[str]:
    yield from _PROSE
    chance = random.Random(21)
    for _ in range(300):
        yield " ".join(chance.sample(_PROSE, 2))


def _searches() -> Iterator[str]:
    chance = random.Random(22)
    for _ in range(1500):
        yield " ".join(chance.choices(_WORDS, k=chance.randint(2, 7)))


def _tokens() -> Iterator[str]:
    chance = random.Random(23)
    for _ in range(500):
        raw = chance.randbytes(chance.randint(12, 300))
        yield base64.b64encode(raw).decode()
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
        head, body = json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": raw.hex()[:12], "iat": 1700000000})
        parts = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (head, body))
        yield ".".join((*parts, base64.urlsafe_b64encode(raw[:32]).decode().rstrip("=")))
        yield raw.hex()


def _scripts() -> Iterator[str]:
    chance = random.Random(24)
    blocks: tuple[tuple[int, int], ...] = (
        (0x3B1, 24),
        (0x430, 32),
        (0x5D0, 26),
        (0x627, 36),
        (0x905, 50),
        (0xE01, 46),
        (0x3041, 80),
        (0x4E00, 2000),
    )
    blocks += ((0xAC00, 2000), (0x1F600, 79), (0x1F300, 200), (0xC0, 60))
    for _ in range(1000):
        start, size = chance.choice(blocks)
        words = ("".join(chr(start + chance.randrange(size)) for _ in range(chance.randint(1, 9))) for _ in range(5))
        yield " ".join(words) + chance.choice(("", "!", "?", " :-)", " <3", " 'x'", " (1)", "; …", " — ", " & Co."))


def _urls() -> Iterator[str]:
    chance = random.Random(25)
    for _ in range(900):
        host = chance.choice(("example.com", "shop.example.org:8443", "user@example.net", "例え.jp", "localhost:3000"))
        path = "/".join(
            chance.choices(("a", "products", "id", "index.php", "~bob", "2024", "naïve", "x_y-z", "sort"), k=3)
        )
        pairs = [f"{chance.choice(_WORDS)}={quote(chance.choice(_PROSE))}" for _ in range(chance.randint(0, 3))]
        url = f"https://{host}/{path}" + ("?" + "&".join(pairs) if pairs else "") + chance.choice(("", "#top", "#!/x"))
        yield url
        yield quote(url)


def _file_paths() -> Iterator[str]:
    chance = random.Random(26)
    names = (
        "src",
        "main.py",
        "My Documents",
        "report (final).docx",
        "naïve.txt",
        "a&b",
        "node_modules",
        ".config",
        "bin",
    )
    for _ in range(500):
        unix, windows = "/".join(chance.sample(names, 4)), "\\".join(chance.sample(names, 4))
        start = chance.choice(
            ("/home/alice/", "/usr/share/", "./", "../", "/opt/", "~/", "", "/var/lib/", "/Users/bob/")
        )
        yield start + unix
        yield chance.choice(("C:\\Users\\bob\\", "D:\\", "\\\\server\\share\\", "C:\\Program Files\\")) + windows


def _values() -> Iterator[str]:
    chance = random.Random(27)
    for _ in range(400):
        number = chance.randint(1, 10**6)
        yield from (
            f"{number / 100:.2f}",
            f"-{number}",
            f"+{number}",
            f"{number}-{number + 5}",
            f"#{number:06x}",
            f"1e{number % 9}",
        )
        yield from (
            f"(555) {number % 999:03}-{number % 9999:04}",
            f"2024-0{number % 9 + 1}-11T10:00:00+01:00",
            f"v{number}.0.1-rc.1",
        )
        yield from (
            f"{number} kg @ 50% (approx.)",
            f"size={number}&sort=-date",
            f"id,name;{number}",
            f"user{number}@example.com",
        )
        yield f"name:asc,date:desc;{number}|{number + 1}"


def people() -> Iterator[str]:
    """Names, addresses, companies, sentences and users' texts in many languages, by Faker."""
    faker = importlib.import_module("faker")  # fetched, and on the path only now
    locales: tuple[str, ...] = (
        "en_US",
        "en_GB",
        "en_IE",
        "fr_FR",
        "it_IT",
        "de_DE",
        "es_ES",
        "pl_PL",
        "ru_RU",
        "ja_JP",
        "zh_CN",
        "ko_KR",
    )
    locales += ("ar_EG", "he_IL", "hi_IN", "el_GR", "uk_UA", "pt_BR", "nl_NL", "vi_VN", "th_TH", "fa_IR")
    for locale in locales:
        fake = faker.Faker(locale)
        fake.seed_instance(28)
        for _ in range(60):
            yield from (
                fake.name(),
                fake.address(),
                fake.company(),
                fake.text(200),
                fake.job(),
                fake.uri(),
                fake.user_agent(),
            )
    yield from (
        f"{first} {mark}{last}"
        for first in ("Sean", "Siobhán")
        for mark in ("O'", "D'", "Mc")
        for last in ("Brien", "Arcy")
    )
