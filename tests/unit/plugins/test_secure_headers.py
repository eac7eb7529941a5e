from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plugins.respond import Respond
from plugins.secure_headers import Config, SecureHeaders
from proxy.message import Request, Response
from proxy.testing import check_plugin, drive, running


def secure(**options: Any) -> SecureHeaders:
    return SecureHeaders(Config.model_validate(options))


async def fields(plugin: SecureHeaders, *, scheme: str = "http", **sent: str) -> dict[str, str]:
    answer = Response.text(200, "x", {name.replace("_", "-"): value for name, value in sent.items()})
    done = await drive(plugin, request=Request("GET", "/", host="test", scheme=scheme), answer=lambda _: answer)
    return {name.lower(): value for name, value in done.response.headers.items()}


async def test_the_usual_fields_are_added() -> None:
    got = await fields(secure(content_security_policy="default-src 'self'"))
    assert got["content-security-policy"] == "default-src 'self'"
    assert got["x-content-type-options"] == "nosniff"
    assert got["x-frame-options"] == "SAMEORIGIN"
    assert got["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "strict-transport-security" not in got


async def test_answers_of_plugins_behind_it_get_them_too() -> None:
    async with running(plugins=[(SecureHeaders, {}), (Respond, {"status": 403})]) as kit:
        assert (await kit.request("GET", "/")).headers["x-frame-options"] == "SAMEORIGIN"


async def test_policies_can_be_several() -> None:
    got = await fields(secure(referrer_policy="no-referrer, strict-origin"))
    assert got["referrer-policy"] == "no-referrer, strict-origin"


async def test_strict_transport_is_told_over_https_only() -> None:
    got = await fields(secure(include_subdomains=True), scheme="https")
    assert got["strict-transport-security"] == "max-age=15552000; includeSubDomains"
    assert "strict-transport-security" not in await fields(secure(strict_transport_security=None), scheme="https")


async def test_what_the_upstream_wrote_stays_unless_it_is_replaced() -> None:
    assert (await fields(secure(), x_frame_options="DENY"))["x-frame-options"] == "DENY"
    assert (await fields(secure(replace=True), x_frame_options="DENY"))["x-frame-options"] == "SAMEORIGIN"


async def test_fields_can_be_left_out_or_only_reported() -> None:
    got = await fields(
        secure(
            frame_options=None,
            content_type_options=False,
            referrer_policy=None,
            content_security_policy="x",
            report_only=True,
        )
    )
    assert got["content-security-policy-report-only"] == "x"
    assert not {"x-frame-options", "x-content-type-options", "referrer-policy", "content-security-policy"} & got.keys()


@pytest.mark.parametrize(
    "options",
    [
        {"content_security_policy": "a\r\nb"},
        {"frame_options": "ALLOW"},
        {"referrer_policy": ""},
        {"referrer_policy": "no-refer"},
        {"referrer_policy": "origin,,origin"},
        {"content_security_policy": "a\n"},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(options)


async def test_it_keeps_the_contract_of_hooks() -> None:
    await check_plugin(SecureHeaders)
