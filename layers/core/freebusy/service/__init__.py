"""What the system does: one module per capability; everything outside is passed in as a port."""
