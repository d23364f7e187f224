"""The library that applications import: `isinglass.connect`.

    with isinglass.connect("alder") as database:
        database.create_table("orders", indexes=["customer"])
        database.put("orders", "2026/1", {"customer": "Ada", "total": 12})
        for key, order in database.find("orders", "customer", "Ada"):
            print(key, order["total"])

Read in this order: `client` (what can be asked), `session` (what happens when the daemon does not
answer), `connection`, `own_writes`, `local`; then what asks other nodes: `primaries`, `guest`,
`stamped_elsewhere`.
"""

from __future__ import annotations

from isinglass.client.client import Client as Client
from isinglass.client.client import connect as connect
