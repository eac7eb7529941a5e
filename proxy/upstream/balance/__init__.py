"""Ways to choose among the targets that can take a request.

A balancer is told which targets these are whenever that changes, which is rare; so a choice looks at no state but what
the way to choose is about.
"""

from proxy.upstream.balance.balancer import Balancer
from proxy.upstream.balance.busy import LeastBusy, TwoChoices
from proxy.upstream.balance.hashing import Hashed
from proxy.upstream.balance.keys import key_of
from proxy.upstream.balance.round_robin import RoundRobin
from proxy.upstream.balance.sticky import Cookie, Sticky

__all__ = ["Balancer", "Cookie", "Hashed", "LeastBusy", "RoundRobin", "Sticky", "TwoChoices", "key_of"]
