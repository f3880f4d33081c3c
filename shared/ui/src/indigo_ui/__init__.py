"""Layout, macros and style sheet of the pages people read."""
