"""Cohorts: as they are downloaded, checked, stored, and divided."""
