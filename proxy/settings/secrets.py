"""What must not be shown: in the effective configuration, in messages, on the admin API, in logs.

A value of a configuration is secret by its key (`token`, `client_secret`, `Authorization`), because it stands in a URL
as a password, or because it was read from a file by `${file:…}`, which is how secrets are handed to containers.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from proxy.settings.problems import KeyPath

MASK = "***"

_SECRET_KEY = re.compile(
    r"(^|[_-])(token|secret|password|passwd|passphrase|credential|authorization|cookie|api[_-]?key|private[_-]?key)"
    r"s?([_-]|$)",
    re.IGNORECASE,
)
# Of header fields, whose names nobody chose with this in mind: a part of the name is enough.
_SECRET_FIELD = re.compile(
    r"authorization|api[_-]?key|private[_-]?key|x-auth(?!or)|cookie|token|secret|passw|passphrase|credential|signature"
    r"|session|jwt|assertion|csrf|xsrf",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def is_secret_key(key: str | int) -> bool:
    """Tell whether a key names something secret."""
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def is_secret_field(name: str) -> bool:
    """Tell whether the name of a header field says that its value is a credential, or as good as one."""
    return _SECRET_FIELD.search(name) is not None


def is_secret(path: KeyPath) -> bool:
    """Tell whether the value at a path is secret by any of its keys."""
    return any(is_secret_key(key) for key in path)


def mask(value: Any, hidden: Collection[KeyPath] = (), path: KeyPath = ()) -> Any:
    """Return plain data with everything secret replaced.

    :param hidden: paths of further values to hide.
    """
    if isinstance(value, dict):
        return {key: mask(item, hidden, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item, hidden, (*path, index)) for index, item in enumerate(value)]
    return mask_scalar(value, hidden=path in hidden or is_secret(path))


def mask_scalar(value: Any, *, hidden: bool) -> Any:
    """Return a single value, hidden as a whole or at least without the password of a URL; empty stays empty."""
    if not value or isinstance(value, bool):
        return value
    if hidden:
        return MASK
    return _USER_INFO.sub(MASK, value) if isinstance(value, str) else value
