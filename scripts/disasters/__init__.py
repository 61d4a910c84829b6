"""Power cuts, full disks, kills and pairs of processes, tried on real commands."""
