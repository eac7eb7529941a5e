"""Passerelle's engine: an HTTP intermediary that knows no plugin (see docs/design.md)."""

__version__ = "0.1.0"
