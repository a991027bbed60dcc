"""Connectors: what is synced, whence and whither, and when."""
