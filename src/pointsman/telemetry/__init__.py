"""Listens to what the story announces: metrics and logs. Only the assembly imports it."""
