"""From a file to settings: read, replace variables, validate, check.

Every stage goes on as far as it can, so that one run shows all that is wrong. A later stage says nothing about a place
of which an earlier one has complained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.settings.checks import check
from proxy.settings.document import Document, Source
from proxy.settings.dump import dump, revision
from proxy.settings.environment import add_endpoints
from proxy.settings.include import Tree
from proxy.settings.models import Settings
from proxy.settings.plugin_entries import PluginReader
from proxy.settings.problems import KeyPath, Problem, SettingsError, Severity
from proxy.settings.route_models import Route
from proxy.settings.texts import texts
from proxy.settings.validate import validate_model

_PATHS = ("state",)  # file names at the top of the document; taken from the file that names them
_TLS_PATHS = ("certificate", "key", "client_ca", "ca")


@dataclass(slots=True)
class Trace:
    """What a configuration depends on outside of itself.

    :ivar files: YAML, plugins, and what `${file:…}` names; some of them may not exist.
    :ivar patterns: directory and pattern of includes that may come to match further files.
    """

    files: set[Path] = field(default_factory=set)
    patterns: set[tuple[Path, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and what is known of where they came from.

    :ivar document: places of all values, for problems found later.
    :ivar warnings: doubtful, but no reason not to start.
    :ivar files: every YAML file that was read, the main one first.
    :ivar texts: digests of plugin files and of error pages as they were when it was read, by path.
    :ivar revision: short hash of the effective configuration, and of those.
    """

    settings: Settings
    document: Document = field(default_factory=Document)
    warnings: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()
    texts: Mapping[Path, str] = field(default_factory=dict)
    revision: str = ""

    @classmethod
    def of(
        cls,
        settings: Settings,
        document: Document | None = None,
        warnings: Iterable[Problem] = (),
        files: Iterable[Path] = (),
    ) -> Loaded:
        """Return settings with what is known of them; those that came from no file have no document."""
        found = texts(settings)
        known = Document() if document is None else document
        return cls(settings, known, tuple(warnings), tuple(files), found, revision(settings, found))

    def dump(self) -> dict[str, Any]:
        """Return the effective configuration as plain data, with everything secret masked."""
        return dump(self.settings, hidden=self.document.from_source(Source.FILE))


def load(path: Path | str, env: Mapping[str, str], trace: Trace | None = None) -> Loaded:
    """Read a configuration file.

    :param path: the main file; messages show it as it is given here.
    :param env: values for `${VAR}`.
    :param trace: is told what was looked at on disk, also when it is not sound.
    :raises SettingsError: with everything that is wrong.
    """
    tree = Tree(env)
    tree.read(Path(path))
    if trace is not None:
        trace.files |= {*tree.files, *tree.references}
        trace.patterns |= {*tree.patterns}
    loaded = _finish(tree)
    if trace is not None:
        trace.files |= _named_files(loaded)
    return loaded


def _named_files(loaded: Loaded) -> set[Path]:
    """Return the sources of plugins, error pages, and every file of certificates and keys."""
    settings = loaded.settings
    found = set(loaded.texts)
    listeners = [listener.tls for listener in settings.listen if listener.tls is not None]
    pairs = [pair for tls in listeners for pair in tls.pairs]
    for tls in (*listeners, *pairs, *(part.tls for part in settings.upstreams.values())):
        found |= {getattr(tls, key) for key in _TLS_PATHS if getattr(tls, key, None) is not None}
    return found


def load_text(text: str, env: Mapping[str, str], file: Path | str = "passerelle.yaml") -> Loaded:
    """Read a configuration from text, as if it stood in `file`.

    :raises SettingsError: with everything that is wrong.
    """
    tree = Tree(env)
    tree.read_text(text, Path(file))
    return _finish(tree)


def settings_for(to: str, listen: str = "http://127.0.0.1:8080", env: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of `loaded_for`."""
    return loaded_for(to, listen, env).settings


def loaded_for(to: str, listen: str = "http://127.0.0.1:8080", env: Mapping[str, str] | None = None) -> Loaded:
    """Return what a gateway without a file serves: everything goes to one upstream.

    :param to: URL of the upstream, without a path.
    :param listen: URL to listen on.
    :param env: may name webhook endpoints.
    :raises SettingsError: when one of them is not a usable URL.
    """
    upstream: dict[str, Any] = {"targets": [to]}
    route = {"name": "all", "upstream": "upstream"}
    data: dict[str, Any] = {"listen": [listen], "upstreams": {"upstream": upstream}, "routes": [route]}
    document = Document()
    wrong: list[Problem] = []
    data = add_endpoints(data, env or {}, wrong, document)
    if wrong:
        raise SettingsError(wrong)
    settings, problems = validate_model(Settings, data, (), document)
    if settings is not None:
        problems = [problem for problem in check(settings, document) if problem.severity is Severity.ERROR]
    if settings is None or problems:
        raise SettingsError(_as_options(problems))
    return Loaded.of(settings, document)


def _as_options(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems that name the option of the command instead of a key that nobody wrote."""
    return [
        Problem((), problem.message, problem.remedy, file="--to" if problem.path[0] == "upstreams" else "--listen")
        for problem in problems
    ]


def _finish(tree: Tree) -> Loaded:
    if tree.root is None:
        raise SettingsError(tree.problems)
    document = Document.of(tree.root)
    reader = PluginReader(document)
    data = absolute_paths(reader.read(), document)
    problems = [*tree.problems, *_new(reader.problems, tree.problems)]
    data = add_endpoints(data, tree.env, problems, document)
    settings, invalid = validate_model(Settings, data, (), document)
    problems += _new(invalid, problems)
    if settings is None:
        settings = _without_invalid(data, document, invalid)
    if settings is not None:
        settings = _with_implied_route(settings, data)
        problems += _new(_checked(settings, document, is_whole=not invalid), problems)
    if settings is None or any(problem.severity is Severity.ERROR for problem in problems):
        raise SettingsError(problems)
    return Loaded.of(settings, document, problems, tree.files)


def _checked(settings: Settings, document: Document, *, is_whole: bool) -> list[Problem]:
    """Return what the checks find; that something is absent says nothing when invalid parts were left out."""
    return [problem for problem in check(settings, document) if is_whole or problem.path != ("routes",)]


def _new(later: Iterable[Problem], earlier: list[Problem]) -> list[Problem]:
    """Return those later problems that are about other places than the earlier ones."""
    places = {(problem.file, problem.line, problem.column) for problem in earlier if problem.line}
    return [problem for problem in later if (problem.file, problem.line, problem.column) not in places]


def _with_implied_route(settings: Settings, data: Mapping[str, Any]) -> Settings:
    """Send everything to the only upstream when no routes are written: there is nothing else that it could mean."""
    if "routes" in data or len(settings.upstreams) != 1:
        return settings
    (name,) = settings.upstreams
    return settings.model_copy(update={"routes": (Route(name=name, upstream=name),)})


def absolute_paths(data: dict[str, Any], document: Document) -> dict[str, Any]:
    """Return the data with its file names made absolute, each from the directory of the file that names it."""
    data = dict(data)
    for key in _PATHS:
        if isinstance(data.get(key), str):
            data[key] = str(document.base((key,)) / data[key])
    listen = data.get("listen")
    if isinstance(listen, list):
        data["listen"] = [_absolute_tls(item, document.base(("listen", index))) for index, item in enumerate(listen)]
    elif isinstance(listen, dict):
        data["listen"] = _absolute_tls(listen, document.base(("listen",)))
    if isinstance(data.get("upstreams"), dict):
        items = data["upstreams"].items()
        data["upstreams"] = {key: _absolute_tls(item, document.base(("upstreams", key))) for key, item in items}
    if isinstance(data.get("routes"), list):
        data["routes"] = [_absolute_pages(item, document.base(("routes", i))) for i, item in enumerate(data["routes"])]
    whole: dict[str, Any] = _absolute_pages(data, document.base(("errors",)))
    return whole


def _absolute_tls(part: object, base: Path) -> object:
    """A listener or an upstream."""
    if not isinstance(part, dict) or not isinstance(part.get("tls"), dict):
        return part
    tls: dict[str, Any] = _absolute_files(part["tls"], base)
    more = tls.get("certificates")
    if isinstance(more, list):
        tls["certificates"] = [_absolute_files(pair, base) for pair in more]
    elif isinstance(more, dict):
        tls["certificates"] = _absolute_files(more, base)
    return {**part, "tls": tls}


def _absolute_files(said: Any, base: Path) -> Any:
    if not isinstance(said, dict):
        return said
    return {**said, **{key: str(base / said[key]) for key in _TLS_PATHS if isinstance(said.get(key), str)}}


def _absolute_pages(section: Any, base: Path) -> Any:
    """Return a route, or the whole, with the files of its error pages made absolute."""
    if not isinstance(section, dict) or not isinstance(section.get("errors"), dict):
        return section
    return {**section, "errors": {key: _absolute_page(said, base) for key, said in section["errors"].items()}}


def _absolute_page(said: object, base: Path) -> object:
    if isinstance(said, list):
        return [_absolute_page(item, base) for item in said]
    if not isinstance(said, dict) or not isinstance(said.get("file"), str):
        return said
    return {**said, "file": str(base / said["file"])}


def _without_invalid(data: dict[str, Any], document: Document, problems: list[Problem]) -> Settings | None:
    """Return settings without the values that are invalid, so that the checks can look at the rest; None if too little
    is left."""
    for problem in problems:
        data = _removed(data, problem.path)
    settings, _ = validate_model(Settings, data, (), document)
    return settings


def _removed(data: Any, path: KeyPath) -> Any:
    """Return a copy without the key at `path`; list items stay, because other paths count on their places."""
    if not path or (isinstance(path[0], int) and len(path) == 1):
        return data
    if isinstance(data, dict) and path[0] in data:
        if len(path) == 1:
            return {key: value for key, value in data.items() if key != path[0]}
        return {**data, path[0]: _removed(data[path[0]], path[1:])}
    if isinstance(data, list) and isinstance(path[0], int):
        return [_removed(item, path[1:]) if index == path[0] else item for index, item in enumerate(data)]
    return data
