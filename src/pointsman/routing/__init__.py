"""Where to: pure decisions over an immutable table; no sockets, no sleep, no clock of its own."""
