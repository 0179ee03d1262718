"""How much the long tests do. These are the amounts of a usual run; run.py's options put others in their place."""

soak_seconds = 20
churn_cycles = 6000
story_clients = 50_000
load_clients = 2_000
storm_seconds = 6
