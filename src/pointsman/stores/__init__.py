"""What is kept: keys and the ledger of calls.

Reading order: ``ports`` (the promises, in words), ``sqlite`` (one file, one machine, many processes) and ``memory``
(one process, nothing outlives it). One test suite holds every backend to the same promises.
"""
