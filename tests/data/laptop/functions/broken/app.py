"""A function that cannot be imported."""

raise RuntimeError("no way to start")
