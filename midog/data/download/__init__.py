"""Public data sets, fetched from their archives."""
