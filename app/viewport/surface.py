"""The OpenGL surface that the whole program asks for; imports no VTK, the start-up needs it."""

from __future__ import annotations

from PyQt6.QtGui import QSurfaceFormat


def surface_format() -> QSurfaceFormat:
    """The OpenGL format that VTK needs; to be made the default before ``QApplication``."""
    wanted = QSurfaceFormat()
    wanted.setRenderableType(QSurfaceFormat.RenderableType.OpenGL)
    wanted.setVersion(3, 2)
    wanted.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    wanted.setDepthBufferSize(24)
    wanted.setStencilBufferSize(8)
    # Multi-sampling is VTK's own affair: a multi-sampled widget would resolve every frame twice.
    wanted.setSamples(0)
    return wanted
