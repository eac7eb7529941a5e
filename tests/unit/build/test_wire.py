"""The connection that leads nowhere."""

from __future__ import annotations

import pytest

from proxy.build.wire import Wire


@pytest.mark.parametrize("end", ["close", "abort"])
def test_it_takes_everything_and_ends_when_told(end: str) -> None:
    wire = Wire()
    wire.set_write_buffer_limits(high=1)
    wire.write(b"gone")
    wire.writelines([b"gone", b"too"])
    wire.pause_reading()
    wire.resume_reading()
    assert (wire.get_write_buffer_size(), wire.can_write_eof(), wire.is_closing()) == (0, False, False)
    getattr(wire, end)()
    assert wire.is_closing()
