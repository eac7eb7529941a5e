"""The admin API described in OpenAPI 3.1, made from the table of its routes so that it cannot differ from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from proxy.server import models
from proxy.server.admin_routes import AdminRoute
from proxy.statuses import title

_REF = "#/components/schemas/{model}"
_ALWAYS = (400, 401, 403, 405, 421, 500)  # what the listener itself may answer, whatever is asked


def openapi(routes: Iterable[AdminRoute], version: str) -> dict[str, Any]:
    """The document.

    :param version: of the gateway.
    """
    rows = list(routes)
    taken = [(_model(row.takes), "validation") for row in rows if row.takes is not None]
    given = [(_model(row.gives), "serialization") for row in rows if row.gives is not None]
    wanted: Any = list(dict.fromkeys([*taken, *given, (models.Problem, "serialization")]))
    refs, schemas = models_json_schema(wanted, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Passerelle admin API", "version": version},
        "security": [{"token": []}],
        "paths": {**_outside(), **paths},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": _problem(refs)},
            "schemas": schemas.get("$defs", {}),
        },
    }


_REFUSED = {"$ref": "#/components/responses/Problem"}


def _problem(refs: Any) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": refs[models.Problem, "serialization"]}}
    return {"description": "What went wrong (RFC 9457)", "content": content}


def _outside() -> dict[str, Any]:
    """What stands beside the API."""
    plain = {"text/plain": {"schema": {"type": "string"}}}
    ok = {"description": "Yes", "content": plain}
    return {
        "/healthz": {"get": {"summary": "Whether the process lives", "security": [], "responses": {"200": ok}}},
        "/readyz": {
            "get": {
                "summary": "Whether it takes new work",
                "security": [],
                "responses": {"200": ok, "503": _REFUSED},
            }
        },
        "/metrics": {
            "get": {
                "summary": "Metrics in Prometheus's text format",
                "responses": {
                    "200": {"description": "The present values", "content": plain},
                    **{str(status): _REFUSED for status in _ALWAYS},
                },
            }
        },
    }


def _operation(row: AdminRoute, refs: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": row.summary, "responses": _responses(row, refs)}
    parameters = [_parameter(name, "path") for name in row.parameters]
    parameters += [{**_parameter(name, "query"), "description": about} for name, about in row.query.items()]
    if parameters:
        operation["parameters"] = parameters
    if row.takes is not None:
        schema = refs[_model(row.takes), "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _parameter(name: str, place: str) -> dict[str, Any]:
    schema = {"type": "string", **({"minLength": 1} if place == "path" else {})}
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _responses(row: AdminRoute, refs: Any) -> dict[str, Any]:
    if row.gives is None and not row.kind:  # a plugin's: nothing is known of its answers
        return {"2XX": {"description": "Done"}, "4XX": _REFUSED, "5XX": _REFUSED}
    kind = row.kind or "application/json"
    schema = {"type": "string"} if row.gives is None else refs[_model(row.gives), "serialization"]
    found: dict[str, Any] = {"200": {"description": "Done", "content": {kind: {"schema": schema}}}}
    for status in sorted({*_ALWAYS, *row.refusals}):
        if status in row.telling:
            found[str(status)] = {"description": title(status), "content": {kind: {"schema": schema}}}
        else:
            found[str(status)] = _REFUSED
    return found


def _model(said: type[BaseModel] | str) -> type[BaseModel]:
    """The model that a row means by name."""
    found: type[BaseModel] = getattr(models, said) if isinstance(said, str) else said
    return found
