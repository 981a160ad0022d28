"""OpenAI's operations that have no stream; one file each, with the request and the reply of its operation."""
