"""Tell browsers to be careful with answers.

    plugins:
      - secure_headers: {content_security_policy: "default-src 'self'"}

Fields that the upstream has written itself stay as they are, unless `replace` says otherwise. Answers of other plugins,
such as refusals, get them where this one is written in front of those. Strict-Transport-Security
is sent only over https, where alone it means something (RFC 6797 section 7.2).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from proxy.api import Duration, Exchange, Headers, Plugin, PluginConfig, Rank

_POLICY = (
    "(no-referrer|no-referrer-when-downgrade|same-origin|origin|strict-origin|origin-when-cross-origin"
    "|strict-origin-when-cross-origin|unsafe-url)"
)
_POLICIES = rf"^{_POLICY}(, ?{_POLICY})*$"


class Config(PluginConfig):
    """The fields; `null` leaves one out."""

    content_security_policy: str | None = Field(default=None, min_length=1, pattern=r"^[\x20-\x7e]*$")
    """Content-Security-Policy; there is none that suits every site."""
    report_only: bool = False
    """Send it as Content-Security-Policy-Report-Only: browsers tell and obey not."""
    strict_transport_security: Duration | None = 15552000.0
    """How long browsers are to come by https only; 180 days unless written."""
    include_subdomains: bool = False
    """Whether that is so for all subdomains too."""
    frame_options: Literal["DENY", "SAMEORIGIN"] | None = "SAMEORIGIN"
    """X-Frame-Options: who may show the page in a frame."""
    content_type_options: bool = True
    """X-Content-Type-Options: nosniff."""
    referrer_policy: str | None = Field(default="strict-origin-when-cross-origin", pattern=_POLICIES)
    """Referrer-Policy: one, or several with commas between them, of which browsers take the last that they know."""
    replace: bool = False
    """Whether what the upstream wrote is replaced."""


class SecureHeaders(Plugin[Config]):
    """Adds the fields that make browsers careful."""

    rank = Rank.REWRITE
    pure: ClassVar[bool] = True

    def configured(self) -> None:
        self._fields = tuple(_fields(self.config))
        self._transport = _transport(self.config)

    def on_response(self, exchange: Exchange) -> None:
        response = exchange.response
        if response is None or response.tunnel is not None:
            return
        for name, value in self._fields:
            self._set(response.headers, name, value)
        if self._transport and exchange.request.scheme == "https":
            self._set(response.headers, "Strict-Transport-Security", self._transport)

    def describe(self, exchange: Exchange) -> str:
        return "adds " + ", ".join(name for name, _ in self._fields) if self._fields else ""

    def _set(self, headers: Headers, name: str, value: str) -> None:
        if self.config.replace or name not in headers:
            headers[name] = value


def _fields(config: Config) -> list[tuple[str, str]]:
    name = "Content-Security-Policy-Report-Only" if config.report_only else "Content-Security-Policy"
    said = (
        (name, config.content_security_policy),
        ("X-Frame-Options", config.frame_options),
        ("X-Content-Type-Options", "nosniff" if config.content_type_options else None),
        ("Referrer-Policy", config.referrer_policy),
    )
    return [(name, value) for name, value in said if value is not None]


def _transport(config: Config) -> str:
    if config.strict_transport_security is None:
        return ""
    rest = "; includeSubDomains" if config.include_subdomains else ""
    return f"max-age={int(config.strict_transport_security)}{rest}"
