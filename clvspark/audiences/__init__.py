"""Values become deciles and audiences."""
