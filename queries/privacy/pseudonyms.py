"""Pseudonyms: a keyed hash of a person's id; and what stands for people told by their team alone.

Without the key a pseudonym cannot be turned back, not even by somebody who has a list of everyone
at the company; with it, everyone's pseudonym can be computed. It is the same every night.
"""

from __future__ import annotations

import base64
import hmac

ANYONE = "someone"
"""What stands in a text for a person who is not shown."""
_LETTERS = 10  # 50 bits: among 50,000 people two have the same one time in a million


def pseudonym(key: bytes, user_id: str) -> str:
    """Return the name that stands for a person."""
    code = hmac.digest(key, user_id.encode(), "sha256")
    return f"person-{base64.b32encode(code).decode().lower()[:_LETTERS]}"


def someone(team: str | None) -> str:
    """Return the member that stands for people of a team."""
    return f"(someone in {team})" if team else f"({ANYONE})"
