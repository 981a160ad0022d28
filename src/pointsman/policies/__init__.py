"""May I: who asks, which models, at what rate, for how much money."""
