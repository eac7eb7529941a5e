"""What an operator writes, as one validated, immutable value: see `models` for the contract with the engine."""

from __future__ import annotations

from proxy.settings.models import Admin, ClientTimeouts, Drain, Limits, Listener, ListenerTls, Settings
from proxy.settings.plugin_models import PluginEntry, RoutePlugin
from proxy.settings.problems import KeyPath, Problem, SettingsError, Severity
from proxy.settings.route_models import Expect, Match, PathEdit, Route, SelfTest
from proxy.settings.units import Duration, DurationOrZero, Percent, Size
from proxy.settings.upstream_models import Pool, Retry, RouteTimeouts, Target, Timeouts, Upstream

__all__ = [
    "Admin",
    "ClientTimeouts",
    "Drain",
    "Duration",
    "DurationOrZero",
    "Expect",
    "KeyPath",
    "Limits",
    "Listener",
    "ListenerTls",
    "Match",
    "PathEdit",
    "Percent",
    "PluginEntry",
    "Pool",
    "Problem",
    "Retry",
    "Route",
    "RoutePlugin",
    "RouteTimeouts",
    "SelfTest",
    "Settings",
    "SettingsError",
    "Severity",
    "Size",
    "Target",
    "Timeouts",
    "Upstream",
]
