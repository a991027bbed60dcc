"""What developers and operators run; each script's first line says its one command."""
