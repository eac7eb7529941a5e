"""Upstreams: from the settings to endpoints, pools and rules for trying again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import TypeAlias

from proxy.build.holding import Held
from proxy.build.retries import make_retry
from proxy.build.runtime import Runtime
from proxy.build.target_metrics import register_target_metrics
from proxy.build.targets import make_checker, make_targets
from proxy.exchange import Endpoint
from proxy.patience import Patience
from proxy.settings import KeyPath, Settings, Target, Timeouts, UpstreamTls
from proxy.settings import Pool as PoolSettings
from proxy.settings import Upstream as UpstreamSettings
from proxy.settings.fields import DEFAULT_PORTS
from proxy.upstream.authorities import read_authorities
from proxy.upstream.follow import Follower
from proxy.upstream.pool import Limits, Pool
from proxy.upstream.stats import Stats
from proxy.upstream.tls import ClientTls, TlsFileError, make_context
from proxy.upstream.upstream import Upstream

Tell: TypeAlias = Callable[[KeyPath, TlsFileError], None]

_NONE: Mapping[str, Held[Upstream]] = {}


def _refuse(path: KeyPath, error: TlsFileError) -> None:
    raise error


def make_upstreams(
    settings: Settings, runtime: Runtime, tell: Tell = _refuse, known: Mapping[str, Held[Upstream]] = _NONE
) -> dict[str, Held[Upstream]]:
    """Every upstream by name; no connection is made yet.

    :param tell: told of the path and the error of every file that cannot be used.
    :param known: the upstreams that serve now: one that is made of the same stays the object that it is, with its
        connections and all that it has learnt.
    """
    made = {}
    for name, said in settings.upstreams.items():
        origin = said, _contents(said.tls)
        if name in known and known[name].origin == origin:
            made[name] = known[name]
        else:
            upstream = _upstream(name, said, runtime, tell)
            made[name] = Held(upstream, upstream.close, origin)
    return made


def _contents(tls: UpstreamTls | None) -> tuple[bytes, ...]:
    """What stands in the files of TLS now: a certificate is renewed under the same name."""
    if tls is None:
        return ()
    files = [file for file in (tls.ca, tls.certificate, tls.key) if isinstance(file, Path)]
    return tuple(file.read_bytes() if file.is_file() else b"" for file in files)


def patience(timeouts: Timeouts) -> Patience:
    """The timeouts in the form that the transport reads."""
    return Patience(
        timeouts.connect, timeouts.first_byte, timeouts.between_bytes, timeouts.total or 0.0, timeouts.tunnel_idle
    )


def _upstream(name: str, said: UpstreamSettings, runtime: Runtime, tell: Tell) -> Upstream:
    tls = None
    try:
        tls = None if said.tls is None else client_tls(said.tls)
    except TlsFileError as error:
        tell(("upstreams", name, "tls", error.key), error)
    endpoints = [_endpoint(target, said.host_for(target), tls) for target in said.targets]
    pool = Pool(
        runtime.connector,
        endpoints,
        _limits(said.pool),
        clock=runtime.clock,
        wheel=runtime.wheel,
        spawn=runtime.spawn,
        flusher=runtime.flusher,
        via=f"1.1 passerelle ({runtime.token})",
        stats=Stats(runtime.metrics, name),
        randomness=runtime.random,
        strict=said.strict,
    )
    follower = _follower(said, endpoints, runtime)
    targets = make_targets(name, said, endpoints, runtime)
    checker = make_checker(name, said.health, targets, runtime)
    retry = make_retry(name, said.retry, runtime)
    return Upstream(name, targets, pool, patience(said.timeouts), retry, checker, follower)


def _follower(said: UpstreamSettings, endpoints: list[Endpoint], runtime: Runtime) -> Follower | None:
    """What keeps the endpoints in step with DNS; None when no target has a name."""
    kinds: dict[str, list[Endpoint]] = {"first": [], "all": []}
    for target, endpoint in zip(said.targets, endpoints, strict=True):
        if target.is_named:
            kinds[said.resolve_for(target)].append(endpoint)
    if not any(kinds.values()):
        return None
    return Follower(runtime.resolver, endpoints, kinds["first"], kinds["all"])


def client_tls(said: UpstreamTls) -> ClientTls:
    """What the settings ask for. :raises TlsFileError: for a file that cannot be used."""
    name = said.server_name or ""
    if not said.model_fields_set - {"server_name"}:
        return ClientTls(True, name)
    made = make_context(
        ca=said.ca,
        certificate=said.certificate,
        key=said.key,
        verify=said.verify,
        minimum_version=said.minimum_version,
    )
    return ClientTls(made, name)


def _limits(said: PoolSettings) -> Limits:
    return Limits(
        said.max_connections,
        said.max_idle,
        said.idle_timeout,
        lifetime=said.lifetime,
        max_requests=inf if said.max_requests is None else said.max_requests,
        queue=said.queue,
        queue_timeout=said.queue_timeout,
    )


def _endpoint(target: Target, host: str, tls: ClientTls | None) -> Endpoint:
    bracketed = f"[{target.host}]" if ":" in target.host else target.host
    standard = target.port == DEFAULT_PORTS[target.scheme]
    authority = bracketed if standard else f"{bracketed}:{target.port}"
    field = {"pass": "", "upstream": authority}.get(host, host)
    return Endpoint(
        target.url,
        target.scheme,
        target.host,
        target.port,
        weight=target.weight,
        authority=authority,
        host_field=field,
        path=target.path,
        tls=tls,
    )


def _believes_the_system(endpoint: Endpoint) -> bool:
    """Whether connections there use the process's common TLS context."""
    own = isinstance(endpoint.tls, ClientTls) and endpoint.tls.context is not True
    return endpoint.scheme == "https" and not own


def start_upstreams(upstreams: Mapping[str, Upstream], settings: Settings, runtime: Runtime) -> None:
    """Follow names as these settings say, and show the pools."""
    if any(_believes_the_system(endpoint) for upstream in upstreams.values() for endpoint in upstream.endpoints):
        read_authorities()
    runtime.resolver.ttl, runtime.resolver.stale = settings.dns.ttl, settings.dns.stale
    register_metrics(upstreams, runtime)
    register_target_metrics(upstreams, runtime.metrics)
    for upstream in upstreams.values():
        upstream.start()


def register_metrics(upstreams: Mapping[str, Upstream], runtime: Runtime) -> None:
    """Show the pools; read at each scrape."""
    about = "Connections to an upstream by state, and the requests queued for one."

    def connections() -> dict[tuple[str, ...], float]:
        return {
            (name, state): value
            for name, one in upstreams.items()
            for state, value in (
                ("open", one.pool.open),
                ("idle", one.pool.idle),
                ("busy", one.pool.open - one.pool.idle),
                ("queued", one.pool.queued),
            )
        }

    def kept() -> dict[tuple[str, ...], float]:
        return {(name,): one.retry.room.used for name, one in upstreams.items()}

    runtime.metrics.gauge("passerelle_upstream_connections", about, ("upstream", "state"), connections)
    held = "Bytes of uploads that are kept to be sent again."
    runtime.metrics.gauge("passerelle_retry_kept_bytes", held, ("upstream",), kept)
