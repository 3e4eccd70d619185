"""The seven sub-stages: initialisation, the optimisation loop, its control and its guard."""
