"""The far side: the HTTP client, local server discovery, and what each provider needs."""
