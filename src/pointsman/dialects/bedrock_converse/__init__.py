"""Amazon Bedrock's Converse API, for upstreams. Start with :mod:`.requests` and :mod:`.streams`."""
