"""The options of the sanitize plugin."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator

from plugins._fields import FieldName
from plugins.sanitize.opinion import is_installed
from proxy.api import PluginConfig, Size
from proxy.sanitize import FAMILIES, RULES

Mode: TypeAlias = Literal["off", "observe", "block", "clean"]
Part: TypeAlias = Literal["path", "query", "headers", "cookies", "body"]
Where: TypeAlias = Literal["path", "query", "header", "cookie", "form", "json", "xml", "graphql"]


def _rule(text: str) -> str:
    if text not in FAMILIES and text not in RULES:
        raise ValueError(f"there is no such rule; families are {', '.join(FAMILIES)}")
    return text


RuleName = Annotated[str, AfterValidator(_rule)]


class Exclusion(PluginConfig):
    """What is not looked at: all that is written must agree; what is not written agrees with everything."""

    rule: RuleName | None = None
    """A rule, such as `sql.boolean`, or a family, such as `sql`."""
    where: Where | None = None
    """The part of the request."""
    field: str | None = Field(default=None, min_length=1)
    """Name of the parameter, header, cookie or field; of JSON the way to it, such as `user.name` or `tags[]`. A `*` at
    its end stands for anything."""


class Config(PluginConfig):
    """What is looked at, and what becomes of what is found."""

    mode: Mode = "observe"
    """`observe` tells and lets through, `block` answers 403, `clean` mends what can be mended and refuses the rest."""
    rules: dict[RuleName, Mode] = Field(default_factory=dict)
    """Other modes for single rules or families; that of a rule outweighs that of its family."""
    exclude: tuple[Exclusion, ...] = ()
    """What is not looked at. Written on a route, it takes the place of the whole list."""
    paranoia: int = Field(default=1, ge=1, le=3)
    """How suspicious it is: 1 hardly ever refuses the innocent, 3 often does."""
    threshold: int = Field(default=5, ge=1, le=1000)
    """The anomaly score from which on a request is refused: what was found in it adds up, 5 for what is critical."""
    inspect: tuple[Part, ...] = ("path", "query", "headers", "cookies", "body")
    """The parts of a request that are looked at."""
    headers: tuple[FieldName, ...] = ("User-Agent", "Referer")
    """Header fields whose values are looked at."""
    max_body: Size = 64 * 1024
    """The most bytes of a body that are held to be looked at, and that a coded one (Content-Encoding) may stand for;
    only forms, JSON, XML and GraphQL ever are. Looking takes some milliseconds for an honest body of this size, one or
    two tenths of a second for one made to be slow."""
    over_limit: Literal["pass", "refuse"] = "pass"
    """What becomes of a body that is larger, or whose coding cannot be undone: it goes on unread, or is answered by 413
    (too large), 400 (not what its Content-Encoding says) or 415 (a coding that is not known here)."""
    second_opinion: Literal["libinjection"] | None = None
    """Who else is asked about values that no rule here finds anything in: `libinjection`, as the rules
    `sql.libinjection` and `xss.libinjection`. It needs the extra of that name, which a compiler builds."""
    header: FieldName | None = "X-Sanitize"
    """Field that tells the upstream what was found and let through, `null` for none; what clients write there goes."""

    @field_validator("second_opinion")
    @classmethod
    def _is_there(cls, name: str | None) -> str | None:
        if name is not None and not is_installed():
            raise ValueError(f"{name} is not installed here: pip install 'passerelle[{name}]'")
        return name
