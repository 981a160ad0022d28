"""How a ledger behaves as it grows: generated calls of very many keys and teams, and what it then costs to ask."""
