"""Connectors: what is synced, from where to where, and when."""
