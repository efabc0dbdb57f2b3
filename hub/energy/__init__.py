"""Energy: what counters say was used, by place and time."""
