"""What is publicly known about models, as data: limits, abilities, prices.

Reading order: ``prices`` (money as integers), ``models`` (the facts of one model), ``snapshot`` (the file
in this package), ``names`` (which rows a model's name may mean), ``lookup`` (the question callers ask),
``overrides`` (what the operator knows better), ``suggest`` (near misses for error hints).

Nothing here talks to the network; the file is made by ``scripts/make_price_catalog.py``.
"""
