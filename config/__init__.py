"""GROUND: settings, clock, logs, seals, the embedded database and the rulebook. Knows nothing of the floors above."""
