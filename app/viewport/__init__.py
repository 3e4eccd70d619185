"""The 3-D view; :mod:`app.viewport.interface` says what the window expects of it."""
