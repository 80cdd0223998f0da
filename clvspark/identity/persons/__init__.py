"""Groups of records become persons that keep their ids, each with its golden record."""
