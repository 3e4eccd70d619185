"""Keep the tests away from the user's own settings, and the machine's cores for one another."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Before anything imports numpy or torch: their arrays are small here, and more threads cost more
# than they bring.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Settings, recent files and remembered windows of whoever runs the tests are neither read nor
# written.
_HOME_OF_TESTS = tempfile.mkdtemp(prefix="smpl-refiner-tests-")
atexit.register(shutil.rmtree, _HOME_OF_TESTS, ignore_errors=True)
for _variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
    os.environ[_variable] = os.path.join(_HOME_OF_TESTS, _variable.lower())
