"""MEMORY: typed rows, the maps of their states and the verbs that move them. Knows no provider and no door."""
