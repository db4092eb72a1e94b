"""Which photos show the same picture, or belong together otherwise."""
