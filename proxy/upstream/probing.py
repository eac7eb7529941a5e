"""Who probes where several processes are one server: one of them, and the others take its word.

Without this every worker would probe every target, and each would find it out at another moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from proxy.upstream.health import Checker

# What a probe found: upstream, target as `condition.identity` names it, and what was wrong; `""` for nothing.
Finding: TypeAlias = tuple[str, str, str]


class Probing:
    """Whether this process probes, and to whom it tells what it finds.

    :ivar leads: whether it probes itself.
    :ivar tell: told of every finding; None when nobody else wants to know.
    """

    def __init__(self) -> None:
        self.leads = True
        self.tell: Callable[[Finding], None] | None = None
        self._checkers: dict[str, Checker] = {}

    def add(self, checker: Checker) -> None:
        """A checker begins; it takes the place of an earlier one for that upstream."""
        self._checkers[checker.targets.name] = checker

    def remove(self, checker: Checker) -> None:
        """A checker ends."""
        if self._checkers.get(checker.targets.name) is checker:
            del self._checkers[checker.targets.name]

    def lead(self, leads: bool) -> None:
        """Probe from now on, or leave it to another process."""
        self.leads = leads
        for checker in self._checkers.values():
            checker.follow()

    def found(self, checker: Checker, target: str, wrong: str) -> None:
        """A probe of ours is over."""
        if self.tell is not None:
            self.tell((checker.targets.name, target, wrong))

    def heard(self, finding: Finding) -> None:
        """A probe of another process is over. What is not known here, on either side of a reload, is passed over."""
        name, target, wrong = finding
        checker = self._checkers.get(name)
        if checker is not None and not self.leads:
            checker.take(target, wrong)
