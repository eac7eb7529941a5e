"""What the search for secrets finds, and what it lets pass."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

CI = Path(__file__).parents[3] / ".ci"


@pytest.fixture(scope="module")
def scan() -> ModuleType:
    """The script, which is in no package."""
    spec = importlib.util.spec_from_file_location("ci_secrets", CI / "secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Put together here, so that this file holds none.
SECRETS = {
    "AWS Access Key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub Token": "ghp_" + "a1B2" * 9,
    "Private Key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "Basic Auth Credentials": "https://user:" + "hunter22@example.com/",
    "Slack Token": "xoxb-" + "123456789012-abcdefghijkl",
}


@pytest.mark.parametrize(("kind", "text"), SECRETS.items(), ids=list(SECRETS))
def test_what_has_the_shape_of_a_secret_is_found(scan: ModuleType, kind: str, text: str) -> None:
    found = list(scan.secrets(f"one\nkey = '{text}'\nthree\n", scan.detectors()))
    assert kind in [kind for _, kind in found]
    assert all(text not in key for key, _ in found), "what is written down is a hash"


@pytest.mark.parametrize(
    "text", ["sha256:9f86d081884c7d659a2feaa0c55ad015", 'password = "correct horse"', "https://example.com/"]
)
def test_hashes_and_words_are_none(scan: ModuleType, text: str) -> None:
    assert list(scan.secrets(text, scan.detectors())) == []


def test_only_what_is_new_is_told(
    scan: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text(SECRETS["GitHub Token"])
    monkeypatch.setattr(scan, "ROOT", tmp_path)
    monkeypatch.setattr(scan, "KNOWN", tmp_path / "known.json")
    monkeypatch.setattr(scan, "tracked", lambda: [tmp_path / "a.py"])
    (tmp_path / "known.json").write_text("{}")
    assert scan.main([]) == 1
    assert "a.py: GitHub Token" in capsys.readouterr().out
    assert scan.main(["--write"]) == 0
    assert scan.main([]) == 0
    assert SECRETS["GitHub Token"] not in (tmp_path / "known.json").read_text()


def test_tests_may_make_up_what_they_are_about_but_no_token_of_a_service(
    scan: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "ROOT", tmp_path)
    for folder in ("tests", "proxy"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("\n".join(SECRETS.values()))
    found = scan.scanned([tmp_path / "tests/a.py", tmp_path / "proxy/a.py"])
    assert set(found["proxy/a.py"].values()) == set(SECRETS)
    assert set(found["tests/a.py"].values()) == {"AWS Access Key", "GitHub Token", "Slack Token"}


def test_what_is_known_is_still_there() -> None:
    """Else a secret could hide behind a file that is gone."""
    known = json.loads((CI / "secrets.json").read_text())
    assert [name for name in known if not (CI.parent / name).is_file()] == []
