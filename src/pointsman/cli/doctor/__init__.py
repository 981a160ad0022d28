"""``pointsman doctor``: walks every way to a model, from its name to its first token, and says where one ends and why.

Reading order: ``command`` (what can be asked), ``subjects`` (which models), ``walk`` (the hops to one), ``residence``
(Ollama's memory), ``gateway`` (the one that runs, if one does), ``report`` (what the reader sees).
"""
