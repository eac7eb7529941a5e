"""Content codings without I/O: who takes which, what a message was coded with, coding and decoding.

Below the plugins on purpose: `compress` makes coded answers, the cache keeps and chooses among them, and whatever
reads a body has to undo what its sender did; all of them go by one reading of the fields.
"""

from proxy.codings.decoders import CodingError, Limits, Malformed, TooMuch, Undoing, can_decode, decode, installed
from proxy.codings.filters import Whose, blame, decoded, decoding
from proxy.codings.negotiation import IDENTITY, Accepted, accepted, applied, choose

__all__ = [
    "IDENTITY",
    "Accepted",
    "CodingError",
    "Limits",
    "Malformed",
    "TooMuch",
    "Undoing",
    "Whose",
    "accepted",
    "applied",
    "blame",
    "can_decode",
    "choose",
    "decode",
    "decoded",
    "decoding",
    "installed",
]
