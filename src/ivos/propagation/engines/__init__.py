"""What carries masks from one slice to the next: one engine a file."""
