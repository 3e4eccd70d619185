"""HuMoR (Rempe et al., ICCV 2021), implemented from its published description and file layout.

:mod:`.checkpoint` reads its files; :class:`.model.HumorModel` answers how likely the transitions of
a motion are, what is decoded from them, and where first states and latents lead;
:class:`.initial_state.InitialStatePrior` how likely a first state is; :class:`.device.Device` is
where the networks work. States are :class:`.state.MotionState`, in a Z-up world. Importing a module
of this package imports torch.
"""
