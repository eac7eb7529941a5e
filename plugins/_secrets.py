"""What several plugins know of fields that tell a secret: how their names look, and what is shown for their values."""

from __future__ import annotations

MASKED = "***"
# parts of lower-case names, as a pattern; who errs to one side or the other adds its own
CREDENTIALS = "cookie|token|secret|passw|credential|signature|session|jwt|assertion|csrf|xsrf"
