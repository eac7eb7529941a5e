"""How much is logged, changed while the server runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.server.models import Level

ROOT = "root"
_OWN = "passerelle"
_NAMES: dict[int, Level] = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


def levels() -> dict[str, Level | None]:
    """The level of every logger of ours, and of the one above them all; None where it goes by the one above it."""
    return {name: _level(logger) for name, logger in sorted(_loggers().items())}


def set_level(name: str, level: Level | None) -> None:
    """Have a logger let pass records of that level and above; None: as the one above it.

    :raises KeyError: when there is no such logger.
    """
    logger = _loggers()[name]
    logger.setLevel(logging.NOTSET if level is None and name != ROOT else (level or "warning").upper())


def _loggers() -> dict[str, logging.Logger]:
    known = logging.root.manager.loggerDict
    ours = [name for name in known if name == _OWN or name.startswith(f"{_OWN}.")]
    return {ROOT: logging.root, **{name: logging.getLogger(name) for name in (_OWN, *ours)}}


def _level(logger: logging.Logger) -> Level | None:
    return _NAMES.get(logger.level // 10 * 10)
