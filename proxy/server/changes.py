"""What a reload changes, in words, and what no reload can change. Names only: values may be secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proxy.build import Built
from proxy.server.sockets import CannotBind
from proxy.settings import Loaded, Problem, Settings, dump

_NAMED = ("upstreams", "routes", "plugins", "listen")  # told of one by one
_FIXED = (("workers",), ("state",), ("redis",), ("admin", "listen"), ("admin", "probes"))


def changes(before: Built, after: Built) -> tuple[str, ...]:
    """What is different, a line each: `route api changed`, `upstream shop added`."""
    old, new = before.loaded.settings, after.loaded.settings
    return (
        *_difference("listener", _urls(old), _urls(new)),
        *_difference("upstream", _plain(old)["upstreams"], _plain(new)["upstreams"]),
        *_difference("plugin", before.plugins, after.plugins, "restarted"),
        *_difference("route", _by_name(old), _by_name(new)),
        *_order(old, new),
        *_pages(before.loaded, after.loaded),
        *(
            f"{key} changed"
            for key in Settings.model_fields
            if key not in _NAMED and _plain(old, key) != _plain(new, key)
        ),
    )


def fixed(before: Settings, loaded: Loaded) -> list[Problem]:
    """What a reload would have to change and cannot: it takes a restart."""
    after = loaded.settings
    if (before.admin is None) != (after.admin is None):
        return [_restart(loaded, ("admin",))]
    return [_restart(loaded, path) for path in _FIXED if _at(before, path) != _at(after, path)]


def taken(before: Settings, loaded: Loaded, error: CannotBind) -> Problem:
    """An address that cannot be had; when it is in the way that this server listens beside it, how to do it."""
    said = loaded.settings.listen[error.index]
    rival = next((other for other in before.listen if other.port == said.port != 0), None)
    remedy = "" if rival is None else f"restart the server, which listens on {rival.url} until then"
    return loaded.document.problem(("listen", error.index), str(error), remedy)


def _restart(loaded: Loaded, path: tuple[str, ...]) -> Problem:
    remedy = "restart the server, or put it back as it was"
    return loaded.document.problem(path, "cannot change while the server runs", remedy)


def _at(value: Any, path: Iterable[str]) -> Any:
    for name in path:
        value = getattr(value, name, None)
    return value


def _plain(settings: Settings, key: str = "") -> Any:
    data = dump(settings, masked=False)
    return data.get(key) if key else {"upstreams": {}, **data}


def _urls(settings: Settings) -> dict[str, Any]:
    return {said.url: said for said in settings.listen}


def _by_name(settings: Settings) -> dict[str, Any]:
    return {route["name"]: route for route in _plain(settings).get("routes", [])}


def _order(old: Settings, new: Settings) -> Iterator[str]:
    names = [[route.name for route in settings.routes] for settings in (old, new)]
    common = [[name for name in ours if name in theirs] for ours, theirs in (names, names[::-1])]
    if common[0] != common[1]:
        yield "routes stand in another order"
    ids = [[entry.id for entry in settings.plugins] for settings in (old, new)]
    if ids[0] != ids[1] and set(ids[0]) == set(ids[1]):
        yield "plugins stand in another order"


def _pages(old: Loaded, new: Loaded) -> Iterator[str]:
    """Error pages whose files are named as before, and hold something else."""
    for file in sorted({*old.settings.error_files} & {*new.settings.error_files}):
        if old.texts.get(file) != new.texts.get(file):
            yield f"error page {file} changed"


def _difference(
    kind: str, old: Mapping[str, object], new: Mapping[str, object], other: str = "changed"
) -> Iterator[str]:
    for name, value in new.items():
        if name not in old:
            yield f"{kind} {name} added"
        elif old[name] != value:
            yield f"{kind} {name} {other}"
    yield from (f"{kind} {name} removed" for name in old if name not in new)
