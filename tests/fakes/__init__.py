"""Small honest implementations of the ports, in memory.

Stores are in modules named like those of the DynamoDB adapters; ``tests/contract`` holds both to the same rules.
Whatever checks before it writes does so under a lock, since services call the stores from several threads.
"""
