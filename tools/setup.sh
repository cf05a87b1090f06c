#!/bin/sh
# Prepares what the commands of the Makefile need, once; the second time costs a checksum.
#
#   tools/setup.sh python        make the Python environment; print its path
#   tools/setup.sh azurite       install Azurite into node_modules
#   tools/setup.sh browser       install the browser that tests the page, where there is one for this machine
#   tools/setup.sh find 3.13     print the interpreter of that version, if this machine has it
#
# PYTHON names an interpreter, PYTHON_VERSION (such as 3.11) one of the supported versions; with neither,
# the newest supported one that this machine has is taken.
set -eu

cd "$(dirname "$0")/.."

SUPPORTED='3.13 3.12 3.11'
OLDEST_NODE=20 # What the libraries under Azurite ask for in package-lock.json.

say() {
    echo "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# Runs a command silently; shows all it had to say if it fails.
quietly() {
    output=$("$@" 2>&1 </dev/null) || {
        say "$output"
        fail "Failed: $*"
    }
}

# Changes when one of the named files changes, or when the folder moves: commands in an environment hold its path.
fingerprint() {
    { pwd; cat "$@"; } | cksum
}

is_current() { # stamp, fingerprint
    [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# Lets a second `make` wait for the first. Where there is no flock (macOS), it is up to the person not to start two.
take_turns() {
    mkdir -p .venv
    exec 9>.venv/lock
    if command -v flock >/dev/null; then
        flock 9
    fi
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

can_make_environments() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# Every candidate is run before it is believed: a pyenv shim is on PATH also when it leads nowhere.
find_python() { # version
    for candidate in "python$1" "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/"$1"*/bin/python python3 python; do
        if [ "$(version_of "$candidate")" = "$1" ] && can_make_environments "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# A Python that runs but has no venv module deserves its own remedy.
fail_without_python() { # wanted
    for version in $SUPPORTED; do
        for candidate in "python$version" python3; do
            if [ "$(version_of "$candidate")" = "$version" ] && ! can_make_environments "$candidate"; then
                fail "$candidate has no venv module: install it (Debian, Ubuntu: apt install python$version-venv), or name another Python: make PYTHON=/path/to/python."
            fi
        done
    done
    fail "No Python $1 found: install Python ${SUPPORTED%% *}, or name one that is not on PATH: make PYTHON=/path/to/python."
}

is_ready() { # environment
    [ -x "$1/bin/python" ] && is_current "$1/.stamp" "$wanted"
}

make_environment() { # interpreter, environment
    take_turns
    if is_ready "$2"; then
        return
    fi
    say "Preparing $2 ..."
    quietly "$1" -m venv --clear "$2"
    quietly "$2/bin/python" -m pip install -q --disable-pip-version-check -r requirements.txt -r operator_cli/requirements.txt -r requirements-dev.txt
    # `rotator` runs what is in this folder; its dependencies are there, and so is what builds it.
    quietly "$2/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e operator_cli
    echo "$wanted" >"$2/.stamp"
}

prepare_python() {
    wanted=$(fingerprint requirements.txt operator_cli/requirements.txt operator_cli/pyproject.toml requirements-dev.txt)
    if [ -n "${PYTHON:-}" ]; then
        prepare_named_python
        return
    fi
    case " $SUPPORTED " in
    *" ${PYTHON_VERSION:-${SUPPORTED%% *}} "*) ;;
    *) fail "PYTHON_VERSION=$PYTHON_VERSION is none of the supported versions: $SUPPORTED." ;;
    esac
    for version in ${PYTHON_VERSION:-$SUPPORTED}; do
        environment=.venv/$version
        if is_ready "$environment"; then
            return
        fi
        if interpreter=$(find_python "$version"); then
            make_environment "$interpreter" "$environment"
            return
        fi
    done
    fail_without_python "${PYTHON_VERSION:-${SUPPORTED##* } to ${SUPPORTED%% *}}"
}

prepare_named_python() {
    version=$(version_of "$PYTHON") || fail "PYTHON=$PYTHON does not run: name a working Python ${SUPPORTED##* } to ${SUPPORTED%% *}."
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "PYTHON=$PYTHON is $version: name a Python ${SUPPORTED##* } to ${SUPPORTED%% *}."
    can_make_environments "$PYTHON" || fail "PYTHON=$PYTHON has no venv module: install it (Debian, Ubuntu: apt install python$version-venv)."
    environment=.venv/$version
    if ! is_ready "$environment"; then
        make_environment "$PYTHON" "$environment"
    fi
}

require_node() {
    node=$(node --version 2>/dev/null) || fail "No Node.js found, which Azurite runs on: install Node.js $OLDEST_NODE or later."
    major=${node#v}
    major=${major%%.*}
    [ "$major" -ge "$OLDEST_NODE" ] || fail "Node.js $node is too old for Azurite: install Node.js $OLDEST_NODE or later."
    npm --version >/dev/null 2>&1 || fail "No npm found beside Node.js $node: install it (Debian, Ubuntu: apt install npm)."
}

prepare_azurite() {
    wanted=$(fingerprint package.json package-lock.json)
    if is_current node_modules/.stamp "$wanted"; then
        return
    fi
    require_node
    take_turns
    if is_current node_modules/.stamp "$wanted"; then
        return
    fi
    say "Preparing node_modules ..."
    quietly npm ci --no-progress
    echo "$wanted" >node_modules/.stamp
}

# The browser comes from npm as a packed file for Linux on x64, and is unpacked once. On another machine nothing else
# needs it: the tests of the page are left out.
prepare_browser() {
    browser=tools/browser/node_modules
    wanted=$(fingerprint tools/browser/package.json tools/browser/package-lock.json tools/browser/unpack.js)
    if is_current "$browser/.stamp" "$wanted"; then
        return
    fi
    if [ "$(uname -sm)" != 'Linux x86_64' ]; then
        say "No browser for $(uname -sm): the tests of the page are left out."
        return
    fi
    require_node
    take_turns
    if is_current "$browser/.stamp" "$wanted"; then
        return
    fi
    say "Preparing $browser ..."
    quietly npm ci --no-progress --prefix tools/browser
    mkdir -p "$browser/.unpacked"
    quietly env TMPDIR="$PWD/$browser/.unpacked" node tools/browser/unpack.js
    echo "$wanted" >"$browser/.stamp"
}

case "${1:-}" in
python)
    prepare_python
    echo "$PWD/$environment"
    ;;
azurite)
    prepare_azurite
    ;;
browser)
    prepare_browser
    ;;
find)
    find_python "${2:?the version to find, such as 3.13}"
    ;;
*)
    fail "usage: tools/setup.sh python | azurite | browser | find <version>"
    ;;
esac
