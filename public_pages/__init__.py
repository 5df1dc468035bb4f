"""DOOR 5: the pages that anybody may open, without signing in: is the printed form in my hand yours, and does it still hold?

One template, no script, no cookie, nothing that is loaded from elsewhere.
"""

from __future__ import annotations

from public_pages import door

__all__ = ["door"]
