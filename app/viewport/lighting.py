"""The lights of the scene, which move with the viewer."""

from __future__ import annotations

from vtkmodules.vtkRenderingCore import vtkLight, vtkRenderer


def add_lights(renderer: vtkRenderer) -> None:
    """A soft key from the upper left, a weak fill from the right, a rim from behind."""
    renderer.SetAutomaticLightCreation(False)
    renderer.RemoveAllLights()
    for at, strength, colour in (
        ((-0.55, 0.85, 1.0), 0.78, (1.0, 0.985, 0.96)),
        ((1.0, 0.1, 0.7), 0.34, (0.92, 0.96, 1.0)),
        ((0.25, 0.9, -1.0), 0.3, (1.0, 1.0, 1.0)),
    ):
        light = vtkLight()
        light.SetLightTypeToCameraLight()
        light.SetPosition(*at)
        light.SetFocalPoint(0.0, 0.0, 0.0)
        light.SetIntensity(strength)
        light.SetColor(*colour)
        renderer.AddLight(light)
