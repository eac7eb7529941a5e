"""As much of kustomize as the manifests use, so that they are checked wherever tests run: resources, components,
namespace, images, generated ConfigMaps, and patches that are lists of operations (RFC 6902).

Whatever else a kustomization says is an error here rather than ignored.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Resource: TypeAlias = dict[str, Any]

_KNOWN = {
    *("apiVersion", "kind", "resources", "components", "namespace"),
    *("images", "configMapGenerator", "patches"),
}
_NO_NAMESPACE = frozenset({"Namespace"})


def rendered(place: Path) -> list[Resource]:
    """The resources of a kustomization. :raises ValueError: when it uses what is not known here."""
    said = yaml.safe_load((place / "kustomization.yaml").read_text(encoding="utf-8"))
    if more := set(said) - _KNOWN:
        raise ValueError(f"{place}: {sorted(more)}")
    found: list[Resource] = []
    for name in said.get("resources", ()):
        found += _resources(place / name)
    found += [_config_map(place, made) for made in said.get("configMapGenerator", ())]
    for name in said.get("components", ()):
        found = _component(place / name, found)
    _patch(place, said.get("patches", ()), found)
    _finish(said, found)
    return found


def _resources(path: Path) -> list[Resource]:
    if path.is_dir():
        return rendered(path)
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


def _component(place: Path, found: list[Resource]) -> list[Resource]:
    """What was found so far, with a component's resources and patches."""
    said = yaml.safe_load((place / "kustomization.yaml").read_text(encoding="utf-8"))
    if more := set(said) - {"apiVersion", "kind", "resources", "patches"}:
        raise ValueError(f"{place}: {sorted(more)}")
    found = [*found, *(each for name in said.get("resources", ()) for each in _resources(place / name))]
    _patch(place, said.get("patches", ()), found)
    return found


def _config_map(place: Path, made: Resource) -> Resource:
    if made["options"] != {"disableNameSuffixHash": True}:
        raise ValueError(f"{place}: {made['options']}")
    data = {name: (place / name).read_text(encoding="utf-8") for name in made["files"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": made["name"]}, "data": data}


def _patch(place: Path, patches: Any, found: list[Resource]) -> None:
    for patch in patches:
        target = patch["target"]
        text = patch["patch"] if "patch" in patch else (place / patch["path"]).read_text(encoding="utf-8")
        meant = [
            each
            for each in found
            if each["kind"] == target["kind"] and re.fullmatch(target["name"], each["metadata"]["name"])
        ]
        if not meant:
            raise ValueError(f"{place}: nothing is {target}")
        for each in meant:
            for operation in yaml.safe_load(text):
                _apply(each, operation)


def _apply(resource: Resource, operation: dict[str, Any]) -> None:
    """One operation of RFC 6902 section 4; add, replace and remove."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    at: Any = resource
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at[part]
    kind, value = operation["op"], copy.deepcopy(operation.get("value"))
    if isinstance(at, list) and kind == "add":
        at.insert(len(at) if last == "-" else int(last), value)
        return
    key: Any = int(last) if isinstance(at, list) else last
    if kind != "add":
        at[key]  # there is something to replace or remove
    if kind == "remove":
        del at[key]
    elif kind in ("add", "replace"):
        at[key] = value
    else:
        raise ValueError(f"{kind} is not known here")


def _finish(said: Resource, found: list[Resource]) -> None:
    """Namespace and images."""
    images = {each["name"]: f"{each['newName']}:{each['newTag']}" for each in said.get("images", ())}
    for each in found:
        if "namespace" in said and each["kind"] not in _NO_NAMESPACE:
            each["metadata"]["namespace"] = said["namespace"]
        for container in each.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
            container["image"] = images.get(container["image"], container["image"])
