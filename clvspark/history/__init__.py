"""Events and persons become histories: orders, interactions, days, and the summary that CLV models read."""
