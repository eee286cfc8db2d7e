"""Cohorts: reading downloaded data sets, checking, storing and splitting them."""
