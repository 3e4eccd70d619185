"""HuMoR (Rempe et al., ICCV 2021), implemented from its published description and file layout."""
