"""A corrected slice, fused with what was propagated before."""
