"""Secrets that this process has read, so that no error repeats them, whoever has put them there.

A service may say in its refusal what it was told: "Incorrect API key provided: sk-...".
"""

from __future__ import annotations

import re
from urllib.parse import quote

_SHORTEST = 6
"""Letters; a shorter secret is found in words that are none."""
_known: set[str] = set()


def remember(secret: str) -> str:
    """Have a secret left out of errors; return it."""
    if len(secret) >= _SHORTEST:
        _known.update((secret, quote(secret, safe="")))
    return secret


def hidden(text: str) -> str:
    """Return a text without the secrets that are in it."""
    for secret in sorted(_known, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text
