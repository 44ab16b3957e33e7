"""Singer target for PostgreSQL, built on meltanolabs-target-postgres."""
