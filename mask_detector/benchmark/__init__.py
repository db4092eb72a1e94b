"""The classic loop against ours, in turn on one machine."""
