"""Several networks trained on the same photos, and which is the smallest that is right enough."""
