"""What a release says of itself: the changelog's section about the version that a tag names.

`python -m deploy.release.notes v1.2.3` writes it to dist/notes.md, and fails when tag, version and changelog do not
agree: so a release that nobody has described cannot be made by a slip.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from proxy import __version__

ROOT = Path(__file__).parents[2]


class Disagree(Exception):
    """Tag, version and changelog are not about the same thing; the words say how."""


def notes(tag: str, version: str, changelog: str) -> str:
    """The changelog's text about a version.

    :param tag: of the release, `v` and the version.
    :param version: of the package.
    :param changelog: in the format of Keep a Changelog.
    :raises Disagree: when they do not fit, or nothing is said.
    """
    if tag != f"v{version}":
        raise Disagree(f"the tag is {tag}, the version {version}: proxy/__init__.py has to say what is tagged")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}\n"
    found = re.search(rf"{heading}(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise Disagree(f"CHANGELOG.md says nothing under '## [{version}] - YYYY-MM-DD'")
    return found[1].strip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the notes; 1 when there are none, 2 without a tag."""
    if len(arguments) != 1:
        print("usage: python -m deploy.release.notes TAG", file=sys.stderr)
        return 2
    try:
        text = notes(arguments[0], __version__, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    except Disagree as error:
        print(error, file=sys.stderr)
        return 1
    (ROOT / "dist").mkdir(exist_ok=True)
    (ROOT / "dist/notes.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
