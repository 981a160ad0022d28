"""What would become of a request, told without sending it."""
