"""The builders of the networks in `architectures.py`, and what a network costs."""
