"""The description of the API, made from the table."""

from __future__ import annotations

from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.server.admin_routes import AdminRoutes
from proxy.server.openapi import openapi


async def handler(_: AdminRequest) -> Response:
    return Response(204)


def test_methods_of_one_path_stand_together_with_their_parameters() -> None:
    routes = AdminRoutes()
    routes.route("GET", "caches/{name}", handler, "Look")
    routes.route("DELETE", "caches/{name}", handler, "Purge")
    path = openapi(routes, "1.2.3")["paths"]["/api/v1/caches/{name}"]
    assert {method: operation["summary"] for method, operation in path.items()} == {"get": "Look", "delete": "Purge"}
    (parameter,) = path["get"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("name", "path", True)


def test_probes_are_open_and_the_rest_may_want_a_token() -> None:
    document = openapi([], "1.2.3")
    assert document["info"]["version"] == "1.2.3"
    assert document["paths"]["/readyz"]["get"]["security"] == []
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}
