"""Attribution: the revenue of each order shared among the touchpoints that led to it, by several methods."""
