"""The rest of OpenAI's Responses API: what is stored of responses, and conversations."""
