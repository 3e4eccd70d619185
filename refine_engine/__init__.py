"""SMPL Refiner's engine: numerics, files and the command line; no Qt, no VTK."""
