"""`python -m powerbi_project`."""

from powerbi_project.cli import main

main()
