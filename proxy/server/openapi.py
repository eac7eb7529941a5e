"""The admin API described in OpenAPI 3.1, made from the table of its routes so that it cannot differ from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proxy.server.admin_routes import AdminRoute

_PROBLEM = {"$ref": "#/components/responses/Problem"}


def openapi(routes: Iterable[AdminRoute], version: str) -> dict[str, Any]:
    """The document.

    :param version: of the gateway.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Passerelle admin API", "version": version},
        "security": [{"token": []}, {}],
        "paths": {**_outside(), **paths},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Problem": {
                    "description": "What went wrong (RFC 9457)",
                    "content": {"application/problem+json": {"schema": {"type": "object"}}},
                }
            },
        },
    }


def _outside() -> dict[str, Any]:
    """What stands beside the API."""
    ok = {"description": "Yes"}
    return {
        "/healthz": {"get": {"summary": "Whether the process lives", "security": [], "responses": {"200": ok}}},
        "/readyz": {
            "get": {
                "summary": "Whether it takes new work",
                "security": [],
                "responses": {"200": ok, "503": _PROBLEM},
            }
        },
        "/metrics": {
            "get": {
                "summary": "Metrics in Prometheus's text format",
                "responses": {"200": {"description": "The present values", "content": {"text/plain": {}}}},
            }
        },
    }


def _operation(route: AdminRoute) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "responses": {"2XX": {"description": "Done"}, "4XX": _PROBLEM, "5XX": _PROBLEM},
    }
    if route.parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters
        ]
    return operation
