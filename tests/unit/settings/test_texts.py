"""The revision is that of all that a configuration is made of, files with texts of their own included."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from proxy.settings import load, load_text
from proxy.settings.texts import texts

TEXT = """
upstreams: {app: {targets: ["http://127.0.0.1:9001"]}}
plugins: [./plugins/one.py]
errors: {502: {file: pages/502.html}}
routes: [{name: app, upstream: app, errors: {404: {file: pages/404.html}}, plugins: {./plugins/two.py: {}}}]
"""
FILES = ("plugins/one.py", "plugins/two.py", "pages/502.html", "pages/404.html")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "here")


def written(folder: Path) -> Path:
    """A configuration and all its files."""
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "passerelle.yaml").write_text(TEXT)
    return folder / "passerelle.yaml"


def test_every_file_with_a_text_of_its_own_is_known_by_it(file: Path) -> None:
    found = load(file, {}).texts
    assert found == {file.parent / name: hashlib.sha256(name.encode()).hexdigest() for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_another_text_is_another_revision(file: Path, name: str) -> None:
    first = load(file, {}).revision
    (file.parent / name).write_text("changed")
    changed = load(file, {}).revision
    (file.parent / name).unlink()
    gone = load(file, {}).revision
    assert len({first, changed, gone}) == 3
    (file.parent / name).write_text(name)
    assert load(file, {}).revision == first


def test_texts_that_change_places_are_another_revision(file: Path) -> None:
    first = load(file, {}).revision
    one, two = (file.parent / name for name in FILES[:2])
    one.write_text(FILES[1])
    two.write_text(FILES[0])
    assert load(file, {}).revision != first


def test_the_same_plugins_in_another_directory_are_the_same_revision(tmp_path: Path) -> None:
    """Of replicas, for example: their revisions are compared."""
    text = TEXT.replace("pages/", "/pages/") + "state: /var/lib/passerelle"
    files = [written(tmp_path / name) for name in ("a", "b")]
    for file in files:
        file.write_text(text)
    one, other = (load(file, {}).revision for file in files)
    assert one == other


def test_what_holds_no_text_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    text = "upstreams: {a: {targets: ['http://a:1']}}\nplugins: [./pipe.py, ./folder.py, ./none.py]"
    found = texts(load_text(text, {}, tmp_path / "passerelle.yaml").settings)
    assert found == {tmp_path / "folder.py": "", tmp_path / "none.py": "", tmp_path / "pipe.py": ""}
