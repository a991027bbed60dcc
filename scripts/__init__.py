"""Commands for developers and operators. `offline` is for machines that cannot reach an image registry."""
