"""Places are found for what is in the document, and for what is not."""

from __future__ import annotations

from pathlib import Path

from proxy.settings.document import Document, Source
from proxy.settings.problems import Severity
from proxy.settings.yaml_source import parse

TEXT = """\
upstreams:
  shop:
    targets: [http://a:1, http://b:2]
workers: 1
"""


def document(file: str = "conf/f.yaml") -> Document:
    root, problems = parse(TEXT, file)
    assert root is not None
    assert not problems
    return Document.of(root)


def test_the_data_is_plain() -> None:
    assert document().data == {"upstreams": {"shop": {"targets": ["http://a:1", "http://b:2"]}}, "workers": 1}


def test_a_scalar_stands_at_itself_and_a_mapping_at_its_key() -> None:
    assert str(document().mark(("workers",))) == "conf/f.yaml:4:10"
    assert str(document().mark(("workers",), key=True)) == "conf/f.yaml:4:1"
    assert str(document().mark(("upstreams", "shop"))) == "conf/f.yaml:2:3"
    assert str(document().mark(("upstreams", "shop", "targets", 1))) == "conf/f.yaml:3:27"


def test_what_is_absent_stands_at_what_encloses_it() -> None:
    assert str(document().mark(("upstreams", "shop", "pool", "max_idle"))) == "conf/f.yaml:2:3"
    assert str(document().mark(("nothing",))) == "conf/f.yaml:1:1"


def test_problems_carry_their_place() -> None:
    problem = document().problem(("workers",), "is odd", "change it", key=True)
    assert problem.render() == "conf/f.yaml:4:1: workers: is odd; change it"
    assert document().warning(("workers",), "is odd").severity is Severity.WARNING


def test_without_a_file_there_are_no_places() -> None:
    assert Document().problem(("a",), "is odd").render() == "a: is odd"
    assert Document().base(("a",)) == Path.cwd()


def test_the_base_is_the_directory_of_the_file() -> None:
    assert document("/etc/p/f.yaml").base(("workers",)) == Path("/etc/p")
    assert document().base(("workers",)) == Path.cwd() / "conf"


def test_sources_are_found() -> None:
    root, _ = parse(TEXT, "f.yaml")
    assert root is not None
    assert isinstance(root.value, dict)
    root.value["workers"].node.source = Source.FILE
    assert Document.of(root).from_source(Source.FILE) == {("workers",)}
