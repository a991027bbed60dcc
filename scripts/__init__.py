"""What developers and operators run, one command each. `offline` is only for machines without an image registry."""
