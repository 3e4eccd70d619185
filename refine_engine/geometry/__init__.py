"""Small pure functions on rotations, cameras and planes."""
