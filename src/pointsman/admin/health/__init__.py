"""Health: of this process (``process``), and of what is behind it. Only ``testing`` calls a model, when asked to."""
