"""Whom to contact, when and through what."""
