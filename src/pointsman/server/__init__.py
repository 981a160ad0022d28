"""The near side of inference: our own HTTP protocol class, hosted by uvicorn."""
