"""midog against the baselines, stage by stage."""
