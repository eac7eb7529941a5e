"""The subcommands that serve nothing, as a shell sees them: each once as a process of its own.

The many files of the repository are gone through in this process, where loading the code is paid once.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cli.main import main

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("passerelle")
FILES = [ROOT / "config" / "passerelle.yaml", ROOT / "config" / "demo.yaml"]
FILES += sorted((ROOT / "config" / "examples").glob("*.yaml"))
NEEDS_CERTIFICATES = "tls.yaml"  # which are an operator's to make
_PATIENCE = 50.0  # seconds; on a machine that others keep busy one took 17


def passerelle(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_PATIENCE, check=False)


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.name != NEEDS_CERTIFICATES], ids=lambda file: file.name
)
def test_every_file_of_the_repository_passes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", str(file)])
    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert ": fine: " in told.out


def test_a_file_that_passes_is_zero() -> None:
    ended = passerelle("check", "config/demo.yaml")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "demo.yaml: fine: " in ended.stdout


def test_certificates_that_are_not_there_are_named_with_their_place() -> None:
    ended = passerelle("check", str(ROOT / "config" / "examples" / NEEDS_CERTIFICATES))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0].startswith(f"{ROOT}/config/examples/{NEEDS_CERTIFICATES}:")
    assert "certificates/shop.pem" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_schema_is_fresh() -> None:
    assert passerelle("schema", "--check", "config/schema.json").returncode == 0


def test_explain_tells_the_same_as_the_file_s_tests_expect() -> None:
    ended = passerelle("explain", "GET", "http://127.0.0.1:8080/api/users?page=2", "-c", "config/demo.yaml", "--json")
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["route"], told["forward"]["target"]) == (0, "api", "/users?page=2")


def test_plugins_are_listed() -> None:
    ended = passerelle("plugin", "list")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "plugins.headers:HeaderRules" in ended.stdout


def test_a_wrong_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("routes: [\n")
    ended = passerelle("check", "bad.yaml", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("bad.yaml:")
    assert "Traceback" not in ended.stderr


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    with subprocess.Popen([str(COMMAND), "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        assert p.stdout is not None
        assert p.stderr is not None
        p.stdout.readline()
        p.stdout.close()
        assert p.stderr.read() == ""
        assert p.wait(30) == 0
