"""The operator's contract: LiteLLM's ``config.yaml`` as a superset, and the environment.

Reading order: ``sections`` (what can be said), ``load`` (how a file becomes that), ``environment``,
``yaml_source`` (text to nodes that know their place), ``typed`` (nodes to structs), ``known_keys`` (every
key of LiteLLM's, honoured or not), ``watch``, ``schema``, ``check``, ``patterns``.
"""
