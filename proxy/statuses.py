"""What statuses are called."""

from __future__ import annotations

from http import HTTPStatus

_TITLES = {
    **{status.value: status.phrase for status in HTTPStatus},
    413: "Content Too Large",  # these four as RFC 9110 has them; Python before 3.13 has older names
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    499: "Client Closed Request",
}


def title(status: int) -> str:
    """The standard reason phrase of a status (RFC 9110 section 15); `"Error"` for an unknown one."""
    return _TITLES.get(status, "Error")
