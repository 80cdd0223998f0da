"""The star schema and the page that people read."""
