"""What can be done over a cohort, one job a file."""
