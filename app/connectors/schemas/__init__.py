"""What the connector endpoints accept: each field's rule, once."""
