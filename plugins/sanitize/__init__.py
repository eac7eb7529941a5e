"""Refuse, mend or only tell of attacks in what clients send, by the detectors of `proxy.sanitize`."""

from plugins.sanitize.config import Config
from plugins.sanitize.plugin import FINDINGS, Sanitize

__all__ = ["FINDINGS", "Config", "Sanitize"]
