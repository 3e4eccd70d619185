"""Priors over how people move: HuMoR's networks and the embedded default."""
