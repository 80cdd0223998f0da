"""Values become deciles and audiences."""

from clvspark.audiences.saved import delete_audience, save_audience

__all__ = ["delete_audience", "save_audience"]
