"""DOOR 4: the settle loop, the sweeps that the clock calls, and the operator's commands."""
