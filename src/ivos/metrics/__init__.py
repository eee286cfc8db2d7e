"""How labels compare with true ones."""
