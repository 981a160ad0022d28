"""Spending over HTTP: the ledger's rows and sums, in LiteLLM's words."""
