"""What commands answer, as tests look at it."""

from __future__ import annotations

import re

SHORT_ID = re.compile(r"\b[0-9a-f]{12}\b")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\dZ")


def steady(text):
    """Output without what differs from run to run."""
    return MOMENT.sub("MOMENT", SHORT_ID.sub("ID", text))


def keys(ran):
    """The keys of a JSON answer, or of the items of its array."""
    assert ran.err == ""
    answer = ran.json
    return set(answer if isinstance(answer, dict) else answer[0])
