"""Beside another dialer: fed by its events, what Cadencia would dial, without dialling (docs/shadow.md)."""

from dialer.shadow.follow import Advice, Shadow
from dialer.shadow.summary import Side, Summary
from dialer.shadow.words import AnyWord, read

__all__ = ["Advice", "AnyWord", "Shadow", "Side", "Summary", "read"]
