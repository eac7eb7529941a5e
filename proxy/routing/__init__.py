"""Which route takes a request, and what the upstream is then asked for.

The order of precedence, so that nobody has to guess it:

1. host: a name written out beats `*.example.com` beats none; a pattern that names a port beats one that does not,
   and of two wildcards the longer one wins;
2. path: the one with more literal characters; of equal length an exact path beats one with `{name}`, which beats
   a prefix;
3. `priority`: higher first;
4. conditions: the route with more of them (each field counts one, a list of methods counts one);
5. the order in the file.

A route whose methods or fields do not fit is passed over and the next one in this order is tried.
"""

from proxy.routing.paths import matching_path
from proxy.routing.patterns import PathPattern, PathSet, parse_host
from proxy.routing.rewrite import Rewrite
from proxy.routing.route import Considered, Match, Route
from proxy.routing.router import Router

__all__ = ["Considered", "Match", "PathPattern", "PathSet", "Rewrite", "Route", "Router", "matching_path", "parse_host"]
