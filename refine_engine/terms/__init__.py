"""Loss terms and the problem that they make up; see :mod:`.protocol` for how to add one.

Nothing is imported here: the floor under a scene is found (:mod:`.floor`) before the first picture,
and that needs no compiled kernel.
"""
