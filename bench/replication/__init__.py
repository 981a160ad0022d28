"""Several gateways as one: what breaks when they are killed, and what limits cost that they share."""
