"""The money: estimate, price, spool, ledger."""
