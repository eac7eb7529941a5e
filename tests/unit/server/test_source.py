"""Where a configuration is read again from."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.registry import Registry
from proxy.server.source import Source, preload
from proxy.settings import SettingsError, load

TEXT = 'include: [more/*.yaml]\nroutes: [{name: a, plugins: {./mine.py: {}, respond: {body: "${file:word}"}}}]\n'


def test_it_tells_all_that_it_depends_on(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    (tmp_path / "word").write_text("x")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.yaml").write_text("tests: []\n")
    file.write_text(TEXT)
    source = Source(lambda trace: load(file, {}, trace))
    loaded = source.load()
    names = {str(path.relative_to(tmp_path)) for path in source.trace.files}
    assert names == {"p.yaml", "more/b.yaml", "word", "mine.py"}
    assert source.trace.patterns == {(tmp_path, "more/*.yaml")}
    preload(Registry.installed(), loaded.settings)  # what is missing is for others to tell


def test_one_that_fails_is_still_known_by_its_files_old_and_new(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    (tmp_path / "word").write_text("x")
    file.write_text(TEXT)
    source = Source(lambda trace: load(file, {}, trace))
    source.load()
    file.write_text("include: [new.yaml]\nroutes: 1\n")
    (tmp_path / "new.yaml").write_text("upstreams: {a: {targets: ['http://${file:host}']}}\n")
    with pytest.raises(SettingsError):
        source.load()
    names = {str(path.relative_to(tmp_path)) for path in source.trace.files}
    assert names == {"p.yaml", "new.yaml", "host", "word", "mine.py"}
