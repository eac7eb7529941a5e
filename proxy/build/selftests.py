"""A configuration's own tests: requests, and what must come of them. Run by `check` and by every start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from proxy.build.built import Built
from proxy.build.runtime import Runtime
from proxy.settings import Expect, KeyPath, Problem, SelfTest

if TYPE_CHECKING:
    from proxy.build.explain import Explainer
    from proxy.build.explanation import Explanation, Fields

Keys = tuple[str, ...]


async def run_tests(built: Built, runtime: Runtime) -> list[Problem]:
    """Every expectation that is not met, placed at its line."""
    tests = built.loaded.settings.tests
    if not tests:
        return []
    from proxy.build.explain import Explainer  # loaded by those who have tests

    explainer = Explainer(built, runtime)
    document = built.loaded.document
    problems = []
    for index, test in enumerate(tests):
        for keys, message in await _run(explainer, test):
            at: KeyPath = ("tests", index, "expect", *keys)
            problems.append(document.problem(at, f"{test.request}: {message}"))
    return problems


async def _run(explainer: Explainer, test: SelfTest) -> list[tuple[Keys, str]]:
    try:
        explanation = await explainer.explain(test.method, test.url, test.headers.items())
    except ValueError as error:
        return [((), str(error))]
    return list(unmet(test.expect, explanation))


def unmet(expect: Expect, found: Explanation) -> Iterator[tuple[Keys, str]]:
    """What an explanation does not fulfil: the keys below `expect`, and the difference in words."""
    yield from _names(expect, found)
    yield from _status(expect, found)
    if expect.target is not None:
        target = None if found.forward is None else found.forward.target
        if target != expect.target:
            yield ("target",), f"the target is {target or 'not sent anywhere'}, not {expect.target}"
    if expect.cache is not None and found.cache != expect.cache:
        verdict = found.cache or "none, since it is not reached"
        yield ("cache",), f"the cache's verdict is {verdict}, not {expect.cache}"
    yield from _fields(expect, found)


def _names(expect: Expect, found: Explanation) -> Iterator[tuple[Keys, str]]:
    if expect.route is not None and found.route != expect.route:
        yield ("route",), f"the route is {found.route or 'none'}, not {expect.route}"
    if expect.upstream is not None:
        upstream = None if found.forward is None else found.forward.upstream
        if upstream != expect.upstream:
            yield ("upstream",), f"{_outcome(found)}, not upstream {expect.upstream}"


def _status(expect: Expect, found: Explanation) -> Iterator[tuple[Keys, str]]:
    if expect.status is not None and (found.made is None or found.made.status != expect.status):
        yield ("status",), f"{_outcome(found)}, not status {expect.status}"


def _outcome(found: Explanation) -> str:
    if found.made is not None:
        return f"it is answered with status {found.made.status}" + (
            f" ({found.made.reason})" if found.made.reason else ""
        )
    if found.forward is not None:
        said = f"it goes to upstream {found.forward.upstream}"
    else:
        said = "nothing is known of the answer"
    if found.unknown:
        said += f" (unless {' or '.join(found.unknown)} answers, which is not run here)"
    return said


def _fields(expect: Expect, found: Explanation) -> Iterator[tuple[Keys, str]]:
    from proxy.build.explanation import shown

    for name, wanted in expect.headers.items():
        values = _values(found, name)
        told = ", ".join(shown(name, value) for value in values)
        if wanted is None and values:
            yield ("headers", name), f"there is a field {name}: {told}"
        elif wanted is not None and wanted not in values:
            yield ("headers", name), f"{name} is {told or 'not there'}, not {shown(name, wanted)}"


def _values(found: Explanation, name: str) -> list[str]:
    """The values of a field: of the answer where it is made here, else of what the upstream would be sent."""
    fields: Fields = ()
    if found.made is not None:
        fields = found.made.fields
    elif found.forward is not None:
        fields = (("Host", found.forward.host), *found.forward.fields)
    return [value for key, value in fields if key.lower() == name.lower()]
