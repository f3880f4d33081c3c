"""Layout, macros and style sheet of the pages people read: no script, one style sheet inside the page."""

from indigo_ui.pages import Pages

__all__ = ["Pages"]
