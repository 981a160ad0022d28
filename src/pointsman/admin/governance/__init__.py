"""Budgets, customers, tags and access groups: what the management API keeps beside keys, people and models."""
