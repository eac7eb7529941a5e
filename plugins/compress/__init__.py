"""Content codings for answers: gzip and deflate, and br and zstd where their extras are installed."""

from plugins.compress.config import Config
from plugins.compress.plugin import Compress

__all__ = ["Compress", "Config"]
