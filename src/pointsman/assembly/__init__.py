"""The composition root: from settings to objects to a running gateway. The only place that knows every class."""
