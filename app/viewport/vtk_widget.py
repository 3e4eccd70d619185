"""Where VTK draws: an OpenGL widget of our own, or a picture where no such widget is possible.

On a graphics card it is the widget; on software OpenGL it is the picture, because a window with an
OpenGL widget in it is put together by OpenGL for every repaint of anything, which a processor does
slower than it draws the people.

Both canvases show one ``vtkRenderWindow`` and then let the view paint its overlay with a
``QPainter``.  Nobody outside calls ``Render()``: everybody asks with ``request()``, and Qt makes
one frame of any number of requests.  Mouse and keys are no affair of theirs:
:class:`app.viewport.hand.Hand` filters the events of either.
"""

from __future__ import annotations

from typing import Any

from PyQt6.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext, QSurfaceFormat
from PyQt6.QtOpenGL import QOpenGLVersionFunctionsFactory, QOpenGLVersionProfile
from PyQt6.QtWidgets import QWidget
from vtkmodules.vtkRenderingCore import vtkRenderer

from app.viewport.gl_canvas import GlCanvas
from app.viewport.image_canvas import ImageCanvas
from app.viewport.surface import surface_format

PLATFORMS_WITHOUT_GL = ("offscreen", "minimal", "vkkhrdisplay", "linuxfb")
SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swiftshader", "software", "swrast", "gdi generic")

GL_RENDERER = 0x1F01


def qt_renderer() -> str | None:
    """Name of the OpenGL renderer that Qt's widgets get; None where they get none.

    Empty where there is one that does not tell its name.
    """
    if QGuiApplication.platformName() in PLATFORMS_WITHOUT_GL:
        return None
    context = QOpenGLContext()
    context.setFormat(surface_format())
    if not context.create():
        return None
    surface = QOffscreenSurface()
    surface.setFormat(context.format())
    surface.create()
    if not context.makeCurrent(surface):
        return ""
    profile = QOpenGLVersionProfile()
    profile.setVersion(4, 1)
    profile.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    # None where the driver gives less than 4.1; the stubs know neither that nor the real class.
    functions: Any = QOpenGLVersionFunctionsFactory.get(profile, context)
    name = "" if functions is None else str(functions.glGetString(GL_RENDERER) or "")
    context.doneCurrent()
    return name


def is_software(renderer: str) -> bool:
    """Whether a GL renderer's name is that of a program instead of a graphics card."""
    return any(name in renderer.lower() for name in SOFTWARE_RENDERERS)


def make_canvas(renderer: vtkRenderer, parent: QWidget) -> GlCanvas | ImageCanvas:
    """The canvas that is best here."""
    name = qt_renderer()
    picture = name is None or is_software(name)
    return (ImageCanvas if picture else GlCanvas)(renderer, parent)
