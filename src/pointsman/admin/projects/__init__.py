"""``/project/…``: what several keys of a team are for, with models, limits and a budget of its own."""
