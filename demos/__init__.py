"""Small programs to run and to read: ``python -m demos.NAME``."""
