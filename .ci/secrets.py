"""Look for secrets in every file that git knows: keys, tokens of well-known services, passwords in URLs.

What was looked at and is none stands in `secrets.json`, by file and by hash. `--write` records what is there now; the
change is then for people to read.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import BasePlugin
from detect_secrets.settings import default_settings

ROOT = Path(__file__).parents[1]
KNOWN = Path(__file__).with_name("secrets.json")

# These guess, by how random a text looks or by what the word before it is: hashes and tests are full of both.
GUESSES = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "IPPublicDetector"}
SKIPPED = (".lock", ".svg", ".png")
# Tests and corpora are about these, and make them up by the dozen. A token of a service is none of theirs either.
MADE_UP = {"Basic Auth Credentials", "JSON Web Token", "Private Key"}
MAKERS = ("tests/", "benchmarks/")

Found = dict[str, dict[str, str]]


def detectors() -> list[BasePlugin]:
    """Every detector that knows the shape of what it looks for."""
    with default_settings():
        kinds = get_mapping_from_secret_type_to_class().values()
        return [kind() for kind in kinds if kind.__name__ not in GUESSES]


def tracked() -> list[Path]:
    """The files that git knows, without those that hold hashes by the thousand."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 (a fixed command)
    return [ROOT / name for name in listed.split("\0") if name and not name.endswith(SKIPPED)]


def secrets(text: str, looking: Iterable[BasePlugin]) -> Iterator[tuple[str, str]]:
    """What a text holds: hash and kind of each."""
    for detector in looking:
        for found in detector.analyze_string(text):
            if found:
                yield hashlib.sha256(found.encode()).hexdigest()[:32], detector.secret_type


def scanned(files: Iterable[Path]) -> Found:
    """What all files hold, by name and hash."""
    looking = detectors()
    found: Found = {}
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        here = dict(secrets(file.read_text(errors="replace"), looking)) if file.is_file() else {}
        if name.startswith(MAKERS):
            here = {key: kind for key, kind in here.items() if kind not in MADE_UP}
        if here:
            found[name] = dict(sorted(here.items()))
    return dict(sorted(found.items()))


def main(arguments: list[str]) -> int:
    """Scan, and tell what is new; 1 when there is anything."""
    found = scanned(tracked())
    if arguments == ["--write"]:
        KNOWN.write_text(json.dumps(found, indent=2) + "\n")
        return 0
    known: Found = json.loads(KNOWN.read_text())
    new = [
        f"{name}: {kind}"
        for name, here in found.items()
        for key, kind in here.items()
        if key not in known.get(name, {})
    ]
    print("\n".join(new) or f"no secrets but the {sum(map(len, found.values()))} of tests and examples")
    if new:
        print("if they are none: python .ci/secrets.py --write", file=sys.stderr)
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
