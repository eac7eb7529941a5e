"""The table of the engine's own admin routes: each row names what there is."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from proxy.server import models
from proxy.server.controls import Controls
from proxy.server.own_routes import OWN, Own
from proxy.server.views import Views


@pytest.mark.parametrize("row", OWN, ids=[f"{row.method} {row.path}" for row in OWN])
def test_what_a_row_names_is_there(row: Own) -> None:
    assert callable(getattr(Views if row.method == "GET" else Controls, row.answer))
    named = [getattr(models, row.more[side]) for side in ("gives", "takes") if side in row.more]
    assert all(issubclass(model, BaseModel) for model in named)


def test_every_answer_is_in_the_table() -> None:
    answers = {name for kind in (Views, Controls) for name in vars(kind) if not name.startswith("_")}
    assert answers - {"give"} == {row.answer for row in OWN}
