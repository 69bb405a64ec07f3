"""Data that ships with the program: rule packs, campaigns, files for Asterisk. No code."""
