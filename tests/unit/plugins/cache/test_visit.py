from __future__ import annotations

import pytest

from plugins.cache.visit import announce
from proxy.api import Headers, Request

OURS = 'passerelle="Surrogate/1.0"'


@pytest.mark.parametrize("trusted", [False, True])
def test_the_origin_is_told_of_this_surrogate_and_of_none_that_a_stranger_names(trusted: bool) -> None:
    request = Request("GET", "/", headers=Headers({"Surrogate-Capability": 'x="ESI/1.0"', "A": "1"}))
    announce(request, trusted=trusted)
    assert request.headers.getall("surrogate-capability") == (['x="ESI/1.0"', OURS] if trusted else [OURS])
    assert request.headers["A"] == "1"
