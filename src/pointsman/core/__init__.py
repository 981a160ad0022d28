"""The vocabulary every layer shares: frozen structs and pure functions, no I/O."""
