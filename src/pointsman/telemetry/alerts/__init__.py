"""Telling people of budgets.

``events`` is what is told, ``senders`` to whom and how; ``desk`` does it, once, behind the requests' backs.
"""
