"""The five services in one process and the indigo command line."""
