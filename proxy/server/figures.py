"""What is counted of the process itself: which configuration it serves, and how reloads went."""

from __future__ import annotations

from collections.abc import Callable

from proxy.metrics import Metrics


class ReloadFigures:
    """The figures of one gateway's configuration.

    :param revision: of what is served now.
    :param generations: how many configurations are in use.
    """

    def __init__(self, metrics: Metrics, revision: Callable[[], str], generations: Callable[[], int]) -> None:
        gauge = metrics.gauge
        self._reloads = metrics.counter(
            "passerelle_config_reloads_total", "Reloads, by what came of them.", ("outcome",)
        )
        self._at = gauge("passerelle_config_last_success_seconds", "When what is served was loaded; Unix time.")
        self._good = gauge("passerelle_config_last_reload_good", "1 unless the last reload was refused.")
        gauge("passerelle_config_info", "The configuration served.", ("revision",), lambda: {(revision(),): 1.0})
        gauge("passerelle_config_generations", "Configurations on which exchanges run.", function=generations)
        for outcome in ("done", "refused"):
            self._reloads.child(outcome)

    def started(self, at: float) -> None:
        """The first configuration is served."""
        self._at.set(at)
        self._good.set(1)

    def count(self, *, ok: bool, at: float) -> None:
        """A reload is over."""
        self._reloads.inc("done" if ok else "refused")
        self._good.set(float(ok))
        if ok:
            self._at.set(at)
