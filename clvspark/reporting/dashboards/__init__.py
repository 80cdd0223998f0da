"""Dashboards as data: what a YAML may say, what is asked of the tables, and how the answers are drawn."""
