"""Alarms: when one is raised, where it goes, and how it gets there."""
