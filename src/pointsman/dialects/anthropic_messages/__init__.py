"""Anthropic Messages, on both sides: https://platform.claude.com/docs/en/api/messages."""
