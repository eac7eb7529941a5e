"""What an operator writes, as one validated, immutable value.

`load` reads a file, `Settings` is what it says. Whoever builds something out of it reports what is wrong there as a
`Problem` made by `Loaded.document`, and validates the options of plugins with `validate_model`, so that every message
names file, line and column.
"""

from __future__ import annotations

from proxy.settings.document import Document
from proxy.settings.dump import dump
from proxy.settings.error_models import ErrorPage, ErrorPages
from proxy.settings.listener_models import CertificatePair, Listener, ListenerTls, ProxyProtocol
from proxy.settings.load import Loaded, Trace, load, load_text, loaded_for, settings_for
from proxy.settings.models import Admin, ClientTimeouts, Dns, Drain, Limits, Settings
from proxy.settings.plugin_models import PluginEntry, RoutePlugin
from proxy.settings.problems import KeyPath, Problem, SettingsError, Severity, label, nearest, suggestion
from proxy.settings.route_models import ErrorAnswer, Expect, Match, OnError, PathEdit, Route, SelfTest
from proxy.settings.schema import json_schema
from proxy.settings.target_models import Balance, Breaker, Eject, HashBy, Health, Sticky
from proxy.settings.units import Duration, DurationOrZero, Percent, Size
from proxy.settings.upstream_models import (
    Pool,
    Retry,
    RouteTimeouts,
    Target,
    Timeouts,
    Upstream,
    UpstreamTls,
)
from proxy.settings.validate import validate_model

__all__ = [
    "Admin",
    "Balance",
    "Breaker",
    "CertificatePair",
    "ClientTimeouts",
    "Dns",
    "Document",
    "Drain",
    "Duration",
    "DurationOrZero",
    "Eject",
    "ErrorAnswer",
    "ErrorPage",
    "ErrorPages",
    "Expect",
    "HashBy",
    "Health",
    "KeyPath",
    "Limits",
    "Listener",
    "ListenerTls",
    "Loaded",
    "Match",
    "OnError",
    "PathEdit",
    "Percent",
    "PluginEntry",
    "Pool",
    "Problem",
    "ProxyProtocol",
    "Retry",
    "Route",
    "RoutePlugin",
    "RouteTimeouts",
    "SelfTest",
    "Settings",
    "SettingsError",
    "Severity",
    "Size",
    "Sticky",
    "Target",
    "Timeouts",
    "Trace",
    "Upstream",
    "UpstreamTls",
    "dump",
    "json_schema",
    "label",
    "load",
    "load_text",
    "loaded_for",
    "nearest",
    "settings_for",
    "suggestion",
    "validate_model",
]
