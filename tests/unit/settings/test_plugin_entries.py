"""All the ways to write a plugin come out the same."""

from __future__ import annotations

from pathlib import Path

from proxy.settings.document import Document
from proxy.settings.plugin_entries import PluginReader
from proxy.settings.plugin_models import PluginEntry
from proxy.settings.yaml_source import parse


def reader(text: str, file: str = "/etc/p/f.yaml") -> PluginReader:
    root, problems = parse(text, file)
    assert root is not None
    assert not problems
    return PluginReader(Document.of(root))


def chain(text: str) -> list[PluginEntry]:
    read = reader(f"plugins:\n{text}")
    entries: list[PluginEntry] = read.read()["plugins"]
    assert not read.problems
    return entries


def test_a_name_alone() -> None:
    (entry,) = chain("  - events\n")
    assert (entry.name, entry.id, entry.options, entry.file, entry.at) == ("events", "events", {}, None, ("plugins", 0))


def test_a_name_with_options() -> None:
    first, second = chain("  - headers: {request: {set: {A: b}}}\n  - events:\n")
    assert first.options == {"request": {"set": {"A": "b"}}}
    assert first.at == ("plugins", 0, "headers")
    assert (second.name, second.options) == ("events", {})


def test_an_entry_with_an_id() -> None:
    (entry,) = chain("  - headers: {}\n    id: edge\n")
    assert (entry.name, entry.id) == ("headers", "edge")


def test_a_file_is_found_from_the_file_that_names_it() -> None:
    (entry,) = chain("  - ../plugins/m.py: {a: 1}\n")
    assert (entry.id, entry.file) == ("m", Path("/etc/plugins/m.py"))


def test_routes_set_switch_and_add() -> None:
    read = reader("routes:\n  - name: a\n    plugins: {x: {o: 1}, y: false, z: true, e: , 'q': 'false', ./m.py: {}}\n")
    plugins = read.read()["routes"][0]["plugins"]
    assert not read.problems
    assert {name: (plugin.enabled, plugin.options) for name, plugin in plugins.items()} == {
        "x": (True, {"o": 1}),
        "y": (False, {}),
        "z": (True, {}),
        "e": (True, {}),
        "q": (False, {}),
        "./m.py": (True, {}),
    }
    assert plugins["./m.py"].file == Path("/etc/p/m.py")
    assert plugins["x"].at == ("routes", 0, "plugins", "x")


def test_malformed_plugins_are_left_out_and_reported() -> None:
    read = reader("plugins: [5, events, {headers: {}, id: a b}, {id: x}, {headers: {}, id: 5}]\n", "f.yaml")
    assert [entry.name for entry in read.read()["plugins"]] == ["events"]
    assert [problem.render() for problem in read.problems] == [
        'f.yaml:1:11: plugins[0]: names no plugin; write "- name", or "- name: {option: value}"',
        'f.yaml:1:40: plugins[2].id: "a b" is not a name; use letters, digits, dot, dash and underscore, at most 64',
        'f.yaml:1:46: plugins[3]: names no plugin; write "- name", or "- name: {option: value}"',
        "f.yaml:1:73: plugins[4].id: must be text",
    ]


def test_a_name_that_cannot_be_an_id_is_reported_at_its_key() -> None:
    read = reader("routes: [{name: a, plugins: {'x y': {}, z: 5}}]\n", "f.yaml")
    assert read.read()["routes"][0]["plugins"] == {}
    assert [problem.render() for problem in read.problems] == [
        (
            'f.yaml:1:30: routes[0].plugins."x y": "x y" is not a name; '
            "use letters, digits, dot, dash and underscore, at most 64"
        ),
        "f.yaml:1:44: routes[0].plugins.z: must be options, true or false; write options, true or false",
    ]


def test_what_is_no_list_is_left_to_validation() -> None:
    assert reader("plugins: 5\nroutes: [7, {plugins: 8}]\n").read() == {"plugins": 5, "routes": [7, {"plugins": 8}]}
