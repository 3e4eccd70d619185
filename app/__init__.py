"""SMPL Refiner's desktop program: PyQt6, VTK and pyqtgraph over the engine; no numerics."""
