"""The types of single values that several models share: addresses, names, and the two shorthands of the YAML.

The shorthands are that a list of one may be written without brackets, and that `false` switches a whole section off.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WithJsonSchema,
    WrapSerializer,
)
from pydantic_core import CoreSchema

from proxy.described import Described
from proxy.settings.units import wrong

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_DNS_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_LONGEST_SOCKET = 103  # bytes: what the strictest system leaves of `sun_path`
DEFAULT_PORTS = {"http": 80, "https": 443}  # RFC 9110 section 4.2

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class Model(Described):
    """A part of the configuration: unknown keys are errors, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _located(value: str, info: ValidationInfo) -> str:
    base = (info.context or {}).get("base")
    return value if base is None or value == "-" else os.path.join(base, value)


FileName = Annotated[str, AfterValidator(_located)]
"""The name of a file in a plugin's options: where it is relative, it is taken from the directory of the configuration
file in which it stands. `-`, which stands for stdin or stdout, is left alone."""


def split_url(url: str) -> SplitResult:
    """Return the parts of a URL that has already been checked."""
    return urlsplit(url)


def port_of(url: str) -> int:
    """Return the port of a checked URL, or the default one of its scheme."""
    parts = urlsplit(url)
    return DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port


def is_address(host: str) -> bool:
    """Tell whether a host is a literal IPv4 or IPv6 address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach the host."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def _check_origin(value: str) -> str:
    """Return `scheme://host[:port]`; anything beyond the authority is refused rather than ignored."""
    parts = _split_or_refuse(value)
    if parts.scheme not in DEFAULT_PORTS:
        raise wrong(f'"{value}" is no http URL', 'write "http://host:port"')
    if parts.username is not None or parts.password is not None:
        raise wrong("user and password do not belong here", 'write "http://host:port"')
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong("must end after the port", f'write "{parts.scheme}://{parts.netloc}"')
    _check_host(parts.hostname or "", value)
    return f"{parts.scheme}://{parts.netloc}"


def _split_or_refuse(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port, parts.hostname
    except ValueError as error:
        raise wrong(f'"{value}" is not a URL: {str(error).lower()}', 'write "http://host:port"') from None
    return parts


def _check_host(host: str, url: str) -> None:
    if host == "*":
        raise wrong('"*" is not an address', "write 0.0.0.0, or [::], for every interface")
    if not is_address(host) and not _DNS_NAME.fullmatch(host):
        raise wrong(f'"{url}" names no host', 'write "http://host:port"')


def _check_host_name(value: str) -> str:
    if is_address(value) or not _DNS_NAME.fullmatch(value):
        raise wrong(f'"{value}" is not the name of a host', 'write a name such as "shop.example.com"')
    return value


def _check_plain(value: str) -> str:
    if value.startswith("https:"):
        raise wrong("this listener speaks plain HTTP only", f'write "http{value[5:]}"')
    return value


def _check_target(value: str) -> str:
    if value.startswith("unix:"):
        return _check_socket(value.removeprefix("unix:"))
    origin = _check_origin(value)
    if urlsplit(origin).port == 0:
        raise wrong("port 0 cannot be connected to", "write the port that the upstream listens on")
    return origin


def _check_socket(path: str) -> str:
    path = path.removeprefix("//") if path.startswith("///") else path
    if not path.startswith("/") or path.startswith("//") or path.endswith("/"):
        raise wrong(f'"unix:{path}" is not the whole path of a socket', 'write "unix:/run/app.sock"')
    if len(path.encode()) > _LONGEST_SOCKET:
        raise wrong(f"is longer than a socket's path can be ({_LONGEST_SOCKET} bytes)", "use a shorter one")
    return f"unix:{path}"


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise wrong(f'"{value}" is not a name', "use letters, digits, dot, dash and underscore, at most 64")
    return value


def _check_field_name(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise wrong(f'"{value}" is not a header name', "use letters, digits and dashes")
    return value


def _check_underscored(value: str) -> str:
    if "_" not in value:
        raise wrong(f'there is no "_" in "{value}"', "remove it: such names are passed on anyway")
    return value


def _check_method(value: str) -> str:
    if not _METHOD.fullmatch(value):
        raise wrong(f'"{value}" is not a method', f"write {value.upper()}" if value.upper() != value else "")
    if value in ("CONNECT", "TRACE"):
        raise wrong(f"{value} is never forwarded", "remove it")
    return value


def _check_path(value: str) -> str:
    if not value.startswith("/"):
        raise wrong("must begin with a slash", f'write "/{value}"')
    if "?" in value or "#" in value:
        raise wrong("is a path, without ? or #", "match on the part before it")
    return value


def _check_match_host(value: str) -> str:
    if not value or "/" in value or value.isspace():
        raise wrong(f'"{value}" is not a host', 'write a name such as "api.example.com" or "*.example.com"')
    return value


def _parse_network(value: object) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    if not isinstance(value, str):
        raise wrong("must be an address range", 'write it as "10.0.0.0/8"')
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise wrong(f'"{value}" is not an address range', _network_remedy(value)) from None


def _network_remedy(value: str) -> str:
    try:
        return f'write "{ipaddress.ip_network(value, strict=False)}"'
    except ValueError:
        return 'write it as "10.0.0.0/8"'


_REDIS_REMEDY = 'write it as "redis://host:6379/0", "rediss://…" or "unix:///run/redis.sock"'


def _check_redis(value: str) -> str:
    """Return the URL as it is; the client library reads it in the same way."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
        reachable = bool(parts.path if parts.scheme == "unix" else parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong("names no server", _REDIS_REMEDY) from None
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise wrong("is not the URL of a Redis", _REDIS_REMEDY)
    if not reachable:
        raise wrong("names no server", _REDIS_REMEDY)
    return value


def _check_some(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise wrong("must not be empty", "write at least one")
    return value


def one_or_many(value: object) -> object:
    """Return a list, so that a list of one may be written without brackets."""
    return [value] if isinstance(value, str | int | Mapping) else value


def _switch(value: object) -> object:
    """Return None for off and an empty mapping for on; pydantic fills in the defaults."""
    if value in (False, "false"):
        return None
    return {} if value in (True, "true") else value


def _show_switch(value: object, handler: SerializerFunctionWrapHandler) -> object:
    return False if value is None else handler(value)


class _Schema:
    """Changes the JSON Schema that pydantic made for a field."""

    def __init__(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._change = change

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self._change(handler(core))


def _or_boolean(schema: dict[str, Any]) -> dict[str, Any]:
    kept = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
    return {**schema, "anyOf": [*kept, {"type": "boolean"}]}


def _or_single(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, schema["items"]]}


# For `X | None` fields: the YAML says false (or true, for all defaults), the program sees None (or X()).
Switch = (BeforeValidator(_switch), WrapSerializer(_show_switch), _Schema(_or_boolean))
Listed = (BeforeValidator(one_or_many), _Schema(_or_single))

NotEmpty = AfterValidator(_check_some)  # unlike min_length it keeps silent when the items are invalid

Origin = Annotated[str, AfterValidator(_check_origin)]
PlainOrigin = Annotated[Origin, AfterValidator(_check_plain)]
TargetOrigin = Annotated[str, AfterValidator(_check_target)]
HostName = Annotated[str, AfterValidator(_check_host_name)]
Name = Annotated[str, AfterValidator(_check_name)]
FieldName = Annotated[str, AfterValidator(_check_field_name)]
RedisUrl = Annotated[str, AfterValidator(_check_redis)]
UnderscoredName = Annotated[FieldName, AfterValidator(_check_underscored)]
Method = Annotated[str, AfterValidator(_check_method)]
UrlPath = Annotated[str, AfterValidator(_check_path)]
MatchHost = Annotated[str, AfterValidator(_check_match_host)]
Cidr = Annotated[
    Network,
    BeforeValidator(_parse_network),
    PlainSerializer(str),
    WithJsonSchema(
        {"type": "string", "description": "An address or a range in CIDR notation.", "examples": ["10.0.0.0/8"]}
    ),
]
