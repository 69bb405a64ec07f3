"""The shared words: people, calls, records, settings, errors, and the two Protocols that I/O implements."""
