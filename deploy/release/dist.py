"""Build the wheel so that anybody can build the same one: from what is committed, twice, and compared byte by byte.

What decides the bytes is fixed: the sources are an archive of the commit, which also carries its name
(`passerelle --version`); the times in the wheel are the commit's; the tools are those of requirements-dev.lock.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"

_BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


class NotTheSame(Exception):
    """Two builds of one commit differ."""


def _git(root: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 (our own commands)


def built(root: Path, out: Path) -> Path:
    """The wheel of the commit that is checked out, built from scratch.

    :param root: the checkout.
    :param out: the directory that the wheel is put into.
    """
    env = {**os.environ, "SOURCE_DATE_EPOCH": _git(root, "log", "-1", "--format=%ct").decode().strip()}
    env.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as place:
        # by the program: the module has no safe way to unpack before Python 3.11.4, which Debian 12 does not have
        unpack = ["tar", "-xf", "-", "-C", place]
        subprocess.run(unpack, check=True, input=_git(root, "archive", "--format=tar", "HEAD"))  # noqa: S603 (our own)
        command = [sys.executable, "-c", _BUILD, str(out)]
        done = subprocess.run(  # noqa: S603 (a fixed command)
            command, check=True, cwd=place, env=env, umask=0o022, capture_output=True, text=True
        )
    return out / done.stdout.splitlines()[-1]


def reproduced(root: Path, out: Path) -> Path:
    """The wheel, after a second build was the same. :raises NotTheSame: when it was not."""
    wheel = built(root, out)
    with tempfile.TemporaryDirectory() as place:
        again = built(root, Path(place))
        if again.read_bytes() != wheel.read_bytes():
            raise NotTheSame(f"two builds of {wheel.name} differ")
    return wheel


def main() -> int:
    """Build into dist/, with SHA256SUMS beside the wheel."""
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("*.whl"):
        old.unlink()
    try:
        wheel = reproduced(ROOT, DIST)
    except NotTheSame as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(error, error.stderr, file=sys.stderr)
        return 1
    sums = f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n"
    (DIST / "SHA256SUMS").write_text(sums)
    print(f"two builds were the same: {sums}", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
