"""The effective configuration, written out: what `check` shows, and what its revision is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from proxy.settings.models import Settings
from proxy.settings.problems import KeyPath
from proxy.settings.secrets import mask

_VERBATIM = ("plugins", "headers")


def dump(settings: Settings, *, masked: bool = True, hidden: Collection[KeyPath] = ()) -> dict[str, Any]:
    """Return the settings as plain data in the shape of the YAML, defaults included.

    :param masked: hide what is secret by its key or stands in a URL as a password.
    :param hidden: paths of further values to hide.
    """
    data: dict[str, Any] = settings.model_dump(mode="json", by_alias=True)
    data = _without_unset(data)
    shown: dict[str, Any] = mask(data, hidden) if masked else data
    return shown


def _without_unset(data: Any) -> Any:
    """Return data without optional keys that are not set; options of plugins and header fields may well be null."""
    if isinstance(data, list):
        return [_without_unset(item) for item in data]
    if not isinstance(data, dict):
        return data
    kept = {key: value for key, value in data.items() if value is not None}
    return {key: value if key in _VERBATIM else _without_unset(value) for key, value in kept.items()}


def revision(settings: Settings, texts: Mapping[Path, str]) -> str:
    """Return 12 hexadecimal digits that change with the effective configuration and with the files that it is made of.

    :param texts: digests by path, as `proxy.settings.texts` gives them. Where the files lie does not count beyond what
        the settings say of it: the same ones in another directory are the same configuration.
    """
    files = [(file.name, digest) for file, digest in sorted(texts.items())]
    text = json.dumps([dump(settings, masked=False), files], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
