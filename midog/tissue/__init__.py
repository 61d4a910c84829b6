"""Which parts of a slide are tissue: found at low power, or given as areas."""
