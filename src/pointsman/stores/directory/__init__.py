"""Who and what is governed, beside keys and calls: teams, users, budgets and their kin, and what they have spent."""
