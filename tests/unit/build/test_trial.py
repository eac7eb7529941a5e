"""A trial's chains and upstreams: the same places as the real ones, without their effects."""

from __future__ import annotations

from collections.abc import Callable

from proxy.build import Built
from proxy.build.trial import TrialUpstream, trial_chain, trial_route

Make = Callable[[str], Built]

TEXT = """
upstreams: {app: {targets: [http://127.0.0.1:9001]}}
plugins: [request_id, events]
routes:
  - {name: app, path: {strip: /a}, match: {path: /a/*}, priority: 3, timeouts: {connect: 1s}, upstream: app}
  - {name: made, match: {path: /b}, plugins: {respond: {status: 200}}}
"""


def test_a_trial_route_matches_and_waits_as_the_real_one(make: Make) -> None:
    for real in make(TEXT).snapshot.router.routes:
        trial = trial_route(real)
        assert (trial.name, trial.match, trial.priority) == (real.name, real.match, real.priority)
        assert trial.rewrite is real.rewrite
        assert trial.payload.patience is real.payload.patience
        assert trial.payload.rewrite is real.payload.rewrite


def test_only_its_upstream_is_another(make: Make) -> None:
    app, made = (trial_route(route).payload for route in make(TEXT).snapshot.router.routes)
    assert isinstance(app.upstream, TrialUpstream)
    assert app.upstream.name == "app"
    assert made.upstream is None


def test_a_trial_chain_numbers_plugins_alike_and_completes_nothing(make: Make) -> None:
    real = make(TEXT).snapshot.fallback.chain
    trial = trial_chain(real.links)
    assert trial.links == real.links
    assert trial.inward is not None
    assert trial.inward.places == (0, 1)  # also of those without a hook: they describe themselves
    assert real.complete
    assert trial.complete is None
