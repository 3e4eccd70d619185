#!/usr/bin/env bash
# Fill .venv/ with the pinned packages, and the system with the libraries that Qt and VTK load.
#
#   scripts/setup.sh [--tests]     --tests: also what the tests need (a virtual screen)
#
# Safe to repeat: the second time it only compares a hash. System packages are installed by apt
# where that needs no password; otherwise one line says what to install and the exit code is 1.
# PYTHON=/path/to/python chooses the interpreter of a new environment.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv
STAMP=$VENV/setup.stamp
KERNEL_STAMP=$VENV/kernels.stamp
PATH=$PATH:/usr/sbin:/sbin # ldconfig lives there, and an ordinary user's PATH lacks it

WITH_TESTS=no
for argument in "$@"; do
    case $argument in
    --tests) WITH_TESTS=yes ;;
    *)
        echo "setup: unknown argument '$argument'; the only one is --tests" >&2
        exit 2
        ;;
    esac
done

# soname:Debian package. The first six import PyQt6 and VTK and draw without a screen, the rest open
# an X window. Qt blames libxcb-cursor0 whichever of them is missing, so all are checked here.
LIBRARIES="
libGL.so.1:libgl1
libEGL.so.1:libegl1
libglib-2.0.so.0:libglib2.0-0
libdbus-1.so.3:libdbus-1-3
libfontconfig.so.1:libfontconfig1
libxkbcommon.so.0:libxkbcommon0
libxkbcommon-x11.so.0:libxkbcommon-x11-0
libxcb-cursor.so.0:libxcb-cursor0
libxcb-icccm.so.4:libxcb-icccm4
libxcb-keysyms.so.1:libxcb-keysyms1
libxcb-shape.so.0:libxcb-shape0
libxcb-xkb.so.1:libxcb-xkb1
"

# Python 3.11 first, because that is what the pins are tested with.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

usable_venv() {
    [ -x $VENV/bin/python ] &&
        $VENV/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

has_fonts() {
    [ -n "$(find -L /usr/share/fonts /usr/local/share/fonts ~/.fonts ~/.local/share/fonts \
        \( -name '*.ttf' -o -name '*.otf' -o -name '*.pfb' \) -print -quit 2>/dev/null)" ]
}

# Prints the Debian packages that are missing, one a line.
missing_packages() {
    local python present entry
    if ! usable_venv; then
        python=$(find_python)
        if [ -z "$python" ]; then
            printf 'python3\npython3-venv\n'
        elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            if [ "$(command -v "$python")" -ef "$(command -v python3)" ]; then
                echo python3-venv
            else
                "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
            fi
        fi
    fi
    [ "$(uname -s)" = Linux ] || return 0
    present=$(ldconfig -p)
    for entry in $LIBRARIES; do
        case $present in
        *"${entry%%:*} "*) ;;
        *) echo "${entry#*:}" ;;
        esac
    done
    has_fonts || echo fonts-dejavu-core
    if [ $WITH_TESTS = yes ]; then
        command -v Xvfb >/dev/null && command -v xvfb-run >/dev/null || echo xvfb
        command -v xauth >/dev/null || echo xauth
    fi
}

# Prints how to become root without being asked anything; fails where that cannot be done.
root_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        echo env
    elif sudo -n true 2>/dev/null; then
        echo sudo env
    else
        return 1
    fi
}

install_system_packages() {
    local missing as_root
    missing=$(missing_packages | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "setup: install what these Debian packages hold, with your system's package manager, then repeat: $missing" >&2
        exit 1
    fi
    if as_root=$(root_prefix); then
        echo "setup: installing $missing"
        # shellcheck disable=SC2086  # both are lists of words
        if $as_root DEBIAN_FRONTEND=noninteractive apt-get -qq update </dev/null &&
            $as_root DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
                $missing </dev/null >/dev/null; then
            missing=$(missing_packages | tr '\n' ' ')
            missing=${missing% }
            [ -n "$missing" ] || return 0
        fi
    fi
    echo "setup: type this, then repeat: sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
    exit 1
}

# The checkout's path belongs to the key because an environment cannot be moved.
wanted_stamp() {
    { cat pyproject.toml constraints.txt && pwd && $VENV/bin/python -VV; } | sha256sum
}

# Pip's own last words about a missing network or a full disk name some package, and no remedy.
install() {
    $VENV/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@" && return
    echo "setup: pip could not install the packages, for the reason above. It needs the network (a mirror: set PIP_INDEX_URL) and 3 GB of free space here; then repeat." >&2
    exit 1
}

install_python_packages() {
    if usable_venv && [ "$(cat $STAMP 2>/dev/null)" = "$(wanted_stamp)" ]; then
        return 0
    fi
    if [ ! -w . ]; then
        echo "setup: $PWD cannot be written to; clone or copy the project to a folder of yours, then repeat" >&2
        exit 1
    fi
    if ! usable_venv; then
        echo "setup: making $VENV"
        "$(find_python)" -m venv --clear $VENV
    fi
    rm -f $STAMP
    echo "setup: installing the pinned Python packages (a few minutes the first time)"
    # The build back end comes first and build isolation is off, so that one set of pins holds for
    # everything and a repeated set-up needs no network for it.
    install hatchling
    install --no-build-isolation --editable '.[dev]'
    wanted_stamp >$STAMP
}

# Compiled kernels are cached beside their sources; doing it here keeps the first run from waiting.
compile_kernels() {
    local wanted
    [ -e refine_engine/warm.py ] || return 0
    wanted=$(grep -rl --include='*.py' numba refine_engine | LC_ALL=C sort | xargs sha256sum)
    [ "$(cat $KERNEL_STAMP 2>/dev/null)" != "$wanted" ] || return 0
    echo "setup: compiling the engine's kernels"
    $VENV/bin/python -m refine_engine.warm
    echo "$wanted" >$KERNEL_STAMP
}

# One set-up at a time: two make commands in one checkout would otherwise fill .venv/ together.
if command -v flock >/dev/null; then
    exec 9<scripts/setup.sh
    flock 9
fi
install_system_packages
install_python_packages
compile_kernels
