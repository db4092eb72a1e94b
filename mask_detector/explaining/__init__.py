"""A look inside: where a network sees what it says, and what it gets wrong."""
