"""What Python installs into the image, as a bill of materials in CycloneDX: the gateway, and what is pinned for it.

The lock file holds what builds the gateway as well, which is in no image. Its own comments tell the one from the other.
What the base image has is not in here; the workflow lists that from the image itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from proxy import __version__

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-image.lock"

_PROJECT = '[project]\nname = "passerelle"\nversion = "{version}"\nlicense = {{text = "Apache-2.0"}}\n'
_ASKED = "passerelle (setup.cfg)"
_BUILDS = "passerelle (pyproject.toml::build-system.requires)"


def _pinned(lock: str) -> dict[str, str]:
    """Each package's lines, by its name."""
    blocks = re.findall(r"^([A-Za-z0-9._-]+)(==.*\n(?:[ \t]+.*\n)*)", lock, re.MULTILINE)
    return {name: name + rest for name, rest in blocks}


def _wanted_by(lines: str) -> set[str]:
    """Who asks for a package: `# via one`, or `# via` and one a line."""
    said = [line.strip().removeprefix("#").strip().removeprefix("via").strip() for line in _comments(lines)]
    return {name for name in said if name}


def _comments(lines: str) -> list[str]:
    return [line for line in lines.splitlines() if line.strip().startswith("#")]


def installed(lock: str) -> str:
    """A lock file without what only builds the package.

    :param lock: as pip-compile writes it, with `--build-deps-for` and its comments of who asks for what.
    """
    pinned = _pinned(lock)
    builders = {_BUILDS}
    while more := {name for name, lines in pinned.items() if _wanted_by(lines) <= builders} - builders:
        builders |= more
    return "".join(lines for name, lines in pinned.items() if name not in builders)


def _completed(bill: dict[str, Any], lock: str) -> dict[str, Any]:
    """A bill whose main component depends on what it asks for by itself: that is not in a file of requirements."""
    direct = {name for name, lines in _pinned(lock).items() if _ASKED in _wanted_by(lines)}
    needed = sorted(each["bom-ref"] for each in bill["components"] if each["name"] in direct)
    main_ref = bill["metadata"]["component"]["bom-ref"]
    (entry,) = [each for each in bill["dependencies"] if each["ref"] == main_ref]
    entry["dependsOn"] = needed
    return bill


def write(out: Path, lock: Path = LOCK) -> None:
    """Write the bill. :raises subprocess.CalledProcessError: when the lock file is not understood."""
    text = installed(lock.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as place:
        project = Path(place, "pyproject.toml")
        project.write_text(_PROJECT.format(version=__version__), encoding="utf-8")
        # It warns of what is completed below.
        command = [sys.executable, "-W", "ignore::UserWarning", "-m", "cyclonedx_py", "requirements"]
        command += ["--output-reproducible", "--pyproject", str(project), "-"]
        done = subprocess.run(  # noqa: S603 (a fixed command)
            command, check=True, input=text, stdout=subprocess.PIPE, text=True
        )
    bill = _completed(json.loads(done.stdout), text)
    out.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Write dist/sbom.cdx.json."""
    (ROOT / "dist").mkdir(exist_ok=True)
    write(ROOT / "dist/sbom.cdx.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
