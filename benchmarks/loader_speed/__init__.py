"""How fast dump files and records get into PostgreSQL: this project's loader, others, and plain `psql`."""
