"""How callers reach the services: HTTP, pages and the command line."""
