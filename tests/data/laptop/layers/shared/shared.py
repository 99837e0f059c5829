"""What a layer puts on the import path."""

WORD = "shared"
