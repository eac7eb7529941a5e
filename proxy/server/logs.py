"""Log files that another program moves away."""

from __future__ import annotations

import logging
from logging.handlers import WatchedFileHandler


def reopen_logs() -> None:
    """Open log files anew after they were moved away."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, WatchedFileHandler):
            handler.reopenIfNeeded()
