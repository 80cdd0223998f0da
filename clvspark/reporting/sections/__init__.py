"""The sections of the page, each made from the figures by a pure function."""
