"""Masks drawn on photos of bare faces."""
