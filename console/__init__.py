"""DOOR 3: the staff's pages, rendered here and working without JavaScript."""
