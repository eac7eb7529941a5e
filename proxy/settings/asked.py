"""How requests that somebody asks about are written in JSON: patterns that a description of the API can show."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

_LONGEST = 8192  # characters of a URL or a field's value
_PORT = "(0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_URL = rf"^https?://([A-Za-z0-9_.-]{{1,253}}|\[[0-9a-f]{{0,4}}::[0-9a-f]{{1,4}}\])(:{_PORT})?([/?][!-~]*)?$"

AskedUrl = Annotated[str, Field(pattern=_URL, max_length=_LONGEST, examples=["http://example.com/users"])]
AskedName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$")]
AskedValue = Annotated[str, Field(pattern=r"^[ -~]*$", max_length=_LONGEST)]
