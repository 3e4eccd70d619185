"""The docks around the 3-D view, one a module."""
