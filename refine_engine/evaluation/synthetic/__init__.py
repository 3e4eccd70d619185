"""Scenes with exact ground truth: moving people, a camera, and the errors of a real pipeline."""
