"""Statements: what an account is to pay for a period."""
