"""Log files that another program moves away."""

from __future__ import annotations

import logging


def reopen_logs() -> None:
    """Open log files anew after they were moved away."""
    from logging.handlers import WatchedFileHandler  # loaded when somebody asks

    for handler in logging.getLogger().handlers:
        if isinstance(handler, WatchedFileHandler):
            handler.reopenIfNeeded()
