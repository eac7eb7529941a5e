"""The admin API of the real command against its own description: what it says of itself is what it does.

Requests are made up from the description, sound ones and broken ones; a status, a content type or a body that it does
not name is a defect, and so is any 5xx.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.strategies import none
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

Run = Callable[..., Any]
TOKEN = {"Authorization": "Bearer s3cret"}
EXAMPLES = 12  # for each operation
ENDLESS = "/api/v1/events"


@pytest.fixture
def admin(run: Run, config: Path) -> Iterator[str]:
    """The URL of an admin listener with a token."""
    config.write_text(config.read_text().replace("admin: {", "admin: {token: s3cret, "))
    gateway = run("serve", "-c", str(config))
    url = gateway.admin()
    gateway.ready()
    yield url
    assert not any("Traceback" in line or "failed" in line for line in gateway.told)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_it_does_what_it_says(admin: str, mode: GenerationMode) -> None:
    find(none(), lambda _: True)  # makes the generator that Python 3.14 shows no holder of while objects are frozen
    schema = schemathesis.openapi.from_url(f"{admin}/api/v1/openapi.json", headers=TOKEN)
    tried = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        takes = operation.body or operation.path_parameters or operation.query
        if operation.path == ENDLESS or (mode is GenerationMode.NEGATIVE and not takes):
            continue  # which has no end, or takes nothing that could be wrong

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            case.call_and_validate(base_url=admin, headers=TOKEN, timeout=60)

        holds()
        tried.add((operation.method.upper(), operation.path))
    assert ("POST", "/api/v1/config/reload") in tried or mode is GenerationMode.NEGATIVE
    assert {("POST", "/api/v1/explain"), ("PUT", "/api/v1/log-levels/{logger}")} <= tried
