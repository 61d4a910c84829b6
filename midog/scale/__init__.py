"""Many images on many machines: a pool of workers, and Ray, which runs them."""
