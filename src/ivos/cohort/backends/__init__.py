"""Where the cases of a cohort are worked on, one backend a file."""
