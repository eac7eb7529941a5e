"""Write the tables of the reference pages from the code that they describe, so that neither can say what the other
does not.

Each page is written by hand, but for what stands between two marks. `python -m docs.generate` renews that;
`--check` only tells whether it is as it would be written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from proxy import errors
from proxy.described import descriptions
from proxy.events import AWAITED, CATALOGUE
from proxy.plugin import config_of
from proxy.registry import Registry
from proxy.settings import PluginEntry, RoutePlugin, Settings
from proxy.settings.annotations import models_at
from proxy.settings.unsupported import UNSUPPORTED

HERE = Path(__file__).parent
BEGIN = "<!-- begin: written by docs/generate.py -->"
END = "<!-- end -->"
BUILT_IN = (
    *(
        "access_log",
        "cache",
        "compress",
        "events",
        "headers",
        "record",
        "request_id",
        "respond",
        "sanitize",
        "secure_headers",
    ),
    "webhook",
)


def settings_tables() -> str:
    """Every key of a configuration file, a section for each mapping."""
    refused = {row.path: row.remedy for row in UNSUPPORTED}
    sections = ["### The top level", _table(Settings, (), refused)]
    for path, model in _inner(Settings, ()):
        sections += [f"### `{_shown(path)}`", _about(model), _table(model, path, refused)]
    return "\n\n".join(sections)


def plugin_tables() -> str:
    """The options of every built-in plugin."""
    registry = Registry.installed()
    sections = []
    for name in BUILT_IN:
        config = config_of(registry.get(name))
        sections += [f"### Plugin `{name}`", _about(config), _table(config, (), {})]
        for path, model in _inner(config, ()):
            sections += [f"#### `{name}`: `{_shown(path)}`", _about(model), _table(model, path, {})]
    return "\n\n".join(sections)


def error_table() -> str:
    """Every answer that the gateway makes itself."""
    rows = ["| status | code | whose fault | another try | `Proxy-Status` error | when |", "|---|---|---|---|---|---|"]
    for kind in sorted(_errors(), key=lambda kind: (kind.status, kind.code)):
        proxy_error = f"`{kind.proxy_error}`" if kind.proxy_error is not None else "none"
        again = kind.retry.value.lower()
        about = _cell(_first_paragraph(kind))
        rows.append(f"| {kind.status} | `{kind.code}` | {kind.fault.value} | {again} | {proxy_error} | {about} |")
    return "\n".join(rows)


def event_tables() -> str:
    """Every event of the gateway's own, with its fields."""
    sections = []
    for kind in CATALOGUE.values():
        names = ", ".join(f"`{item.name}`" for item in fields(kind) if item.name != "time")
        about = "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines())
        awaited = f" Not raised yet: that will be for {AWAITED[kind.type]}." if kind.type in AWAITED else ""
        sections.append(f"### `{kind.type}`\n\nClass {kind.klass.value}. Fields: {names}.{awaited}\n\n{about}")
    return "\n\n".join(sections)


PAGES = {
    "configuration.md": lambda: f"{settings_tables()}\n\n## Options of the built-in plugins\n\n{plugin_tables()}",
    "errors.md": error_table,
    "events.md": event_tables,
}


# tables


def _inner(model: type[BaseModel], path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield path and model of every mapping below a model; an item of a list has the path part 0, of a mapping `*`."""
    for key in _keys(model):
        for part in ((key,), (key, 0), (key, "*"), (key, "*", 0)):
            for found in models_at(model, part):
                if found not in (PluginEntry, RoutePlugin):
                    yield (*path, *part), found
                    yield from _inner(found, (*path, *part))


def _table(model: type[BaseModel], path: tuple[str | int, ...], refused: Mapping[str, str]) -> str:
    defaults = _defaults(model)
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, info in model.model_fields.items():
        key = info.alias or name
        default = "required" if info.is_required() else _written(defaults[key])
        meaning = _cell(info.description or descriptions(model).get(name, ""))
        remedy = refused.get(".".join("*" if part in (0, "*") else str(part) for part in (*path, key)))
        if remedy is not None:
            meaning += f" **Not yet** ({remedy})."
        rows.append(f"| `{key}` | {default} | {meaning} |")
    return "\n".join(rows)


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The defaults, as they would be written in YAML."""
    required = {name for name, info in model.model_fields.items() if info.is_required()}
    shown: dict[str, Any] = model.model_construct().model_dump(mode="json", by_alias=True, exclude=required)
    return shown


def _written(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, dict) and value:
        return "see below"
    text = value if isinstance(value, str) else json.dumps(_plain(value)).replace('"', "").replace(": {}", "")
    return f"`{text}`"


def _plain(value: Any) -> Any:
    """A list of mappings that hold one thing each, such as plugins and listeners, as a list of these things."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if item is not None}
        if kept.keys() == {"url"}:
            return kept["url"]
        return next(iter(kept)) if len(kept) == 1 and list(kept.values()) == [{}] else kept
    return value


def _keys(model: type[BaseModel]) -> list[str]:
    infos: Mapping[str, FieldInfo] = model.model_fields
    return [info.alias or name for name, info in infos.items()]


def _shown(path: tuple[str | int, ...]) -> str:
    """`upstreams.NAME.targets[]`."""
    text = ""
    for part in path:
        text += "[]" if part == 0 else f".{'NAME' if part == '*' else part}"
    return text.removeprefix(".")


def _errors() -> list[type[errors.GatewayError]]:
    """Every error that has a code of its own; of classes that share one, the first."""
    found: dict[str, type[errors.GatewayError]] = {}
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.GatewayError):
            found.setdefault(value.code, value)
    return list(found.values())


def _about(thing: type) -> str:
    return " ".join((thing.__doc__ or "").split())


def _first_paragraph(thing: type) -> str:
    return (thing.__doc__ or "").strip().partition("\n\n")[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# pages


def renewed(text: str, part: str) -> str:
    """A page with its generated part replaced. :raises ValueError: when the page has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for what is generated: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{part}\n\n{END}{after}"


def stale() -> list[Path]:
    """The pages that are not as they would be written."""
    found = []
    for name, write in PAGES.items():
        page = HERE / name
        text = page.read_text(encoding="utf-8")
        if renewed(text, write()) != text:
            found.append(page)
    return found


def main(arguments: list[str]) -> int:
    """Renew the pages, or with `--check` name those that are stale; 1 when there are any."""
    pages = stale()
    if arguments == ["--check"]:
        for page in pages:
            print(f"{page.relative_to(HERE.parent)} is stale: run `make docs`", file=sys.stderr)
        return 1 if pages else 0
    for page in pages:
        page.write_text(renewed(page.read_text(encoding="utf-8"), PAGES[page.name]()), encoding="utf-8")
        print(f"wrote {page.relative_to(HERE.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
