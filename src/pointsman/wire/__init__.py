"""Framing only: how messages are cut out of bytes and put into them; no I/O, no meaning."""
