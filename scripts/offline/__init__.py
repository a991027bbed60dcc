"""Docker images made of this machine's own packages, only for machines without an image registry."""
