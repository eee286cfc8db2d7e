"""Training STCN."""
