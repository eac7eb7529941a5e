"""What can be said of the image without building it. `make image-test` builds and starts it."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

from proxy.cli.check import check

ROOT = Path(__file__).parents[4]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    """The arguments of every such instruction, continued lines joined."""
    return re.findall(rf"^{name} (.*)$", CONTAINERFILE.replace("\\\n", " "), re.MULTILINE)


def copied() -> list[str]:
    """What is copied from the tree into a stage."""
    words = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return [name for line in words for name in line[:-1]]


def test_the_builder_sees_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    assert sorted(let_in) == sorted(set(copied()))
    assert [name for name in let_in if not (ROOT / name).exists()] == []
    assert any(fnmatch.fnmatch("proxy/__pycache__", line) for line in lines if not line.startswith("!"))


def test_what_it_installs_is_pinned_by_hash_and_not_compiled() -> None:
    (fetched,) = [line for line in instructions("RUN") if "--require-hashes" in line]
    assert "--only-binary :all:" in fetched
    installs = re.findall(r"pip(?: --python \S+)? (?:install|wheel) [^;]*", " ".join(instructions("RUN")))
    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-index" in line or "--no-deps" in line for line in installs)


def test_what_is_shipped_has_no_pip_of_the_base_either() -> None:
    last = CONTAINERFILE.replace("\\\n", " ").rpartition("FROM ")[2]
    (removed,) = re.findall(r"^RUN rm -rf (.*)$", last, re.MULTILINE)
    assert {place.rpartition("/")[2] for place in removed.split()} == {"pip*", "pip", "pip-*", "ensurepip"}
    assert last.index("RUN rm -rf") < last.index("USER ")


def test_every_argument_of_the_last_stage_is_given_by_the_script() -> None:
    last = CONTAINERFILE.rpartition("FROM ")[2]
    script = (ROOT / "deploy/image/build.sh").read_text()
    wanted = re.findall(r"^ARG (\w+)=", last, re.MULTILINE)
    assert set(wanted) == {"VERSION", "COMMIT", "CREATED", "SOURCE"}
    assert [name for name in wanted if f'--build-arg "{name}=' not in script] == []


def test_the_base_can_be_chosen_and_is_the_same_for_both_stages() -> None:
    assert instructions("FROM") == ["${BASE_IMAGE} AS build", "${BASE_IMAGE}"]
    assert any(line.startswith("BASE_IMAGE=") for line in instructions("ARG"))


def test_what_it_serves_unless_told_otherwise_is_sound() -> None:
    loaded, problems = check(ROOT / "deploy/image/passerelle.yaml")
    assert problems == []
    assert loaded is not None
    assert loaded.settings.admin is not None
    assert [str(loaded.settings.state)] == instructions("VOLUME")
    ports = {url.rpartition(":")[2] for url in (loaded.settings.listen[0].url, str(loaded.settings.admin.probes))}
    assert ports == set(instructions("EXPOSE")[0].split())


def test_where_tools_are_missing_the_test_says_why() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy/image/check.py")],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": "/nowhere"},
    )
    assert done.returncode == 0
    assert re.fullmatch(r"image-test: skipped: (missing here: buildah|root is needed).*\n", done.stdout)
