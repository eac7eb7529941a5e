"""Signatures by Standard Webhooks: what a receiver needs to know that an event is ours, whole and fresh."""

from __future__ import annotations

import base64
import binascii
import hmac

PREFIX = "whsec_"
SHORTEST = 24  # bytes of a key that the specification asks for


class Secret:
    """One key.

    :param text: `whsec_` with base64 behind it, or any other text, whose UTF-8 bytes are the key.
    :raises ValueError: when it is empty, or the base64 is none.
    :ivar key: the bytes.
    """

    def __init__(self, text: str) -> None:
        if text.startswith(PREFIX):
            try:
                self.key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
            except binascii.Error as error:
                raise ValueError(f"what follows {PREFIX} is no base64") from error
        else:
            self.key = text.encode()
        if not self.key:
            raise ValueError("a secret is not empty")

    @property
    def is_short(self) -> bool:
        """Whether it is shorter than the specification asks for."""
        return len(self.key) < SHORTEST

    @property
    def as_written(self) -> str:
        """The form that every receiver's library takes."""
        return PREFIX + base64.b64encode(self.key).decode()

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """`v1,` and the base64 of HMAC-SHA256 over id, time and body, with dots between."""
        content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
        return "v1," + base64.b64encode(hmac.digest(self.key, content, "sha256")).decode()


def signature(secrets: tuple[Secret, ...], message_id: str, timestamp: int, body: bytes) -> str:
    """The field `webhook-signature`: one for each secret, the current one's first."""
    return " ".join(secret.sign(message_id, timestamp, body) for secret in secrets)
