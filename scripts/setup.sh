# What the other scripts have in common: Debian packages and the virtual environment.  Sourced.

slipway_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$slipway_root/.venv"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

# True when this user may install packages on a Debian or Ubuntu system.
can_install_packages() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# install_packages PACKAGE…: install those that are missing; say which when we may not.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return 0
    can_install_packages || {
        say "not installed: ${missing[*]} (installing them needs root on Debian or Ubuntu)"
        return 1
    }
    say "installing ${missing[*]}"
    local log
    log=$(mktemp)
    # A package that starts a service of its own would take a port or a firewall from the user:
    # policy-rc.d is Debian's way to say "install only".
    local policy=/usr/sbin/policy-rc.d own_policy=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && own_policy=1
    fi
    local failed=
    {
        DEBIAN_FRONTEND=noninteractive apt-get update -q &&
            DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
                "${missing[@]}"
    } >"$log" 2>&1 </dev/null || failed=1
    [ -n "$own_policy" ] && rm -f "$policy"
    if [ -n "$failed" ]; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install ${missing[*]} (its last lines are above)"
    fi
    rm -f "$log"
}

# The newest Python that is new enough, by name.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

# What an installation of LOCK depends on, as one line.
stamp_of() { cat "$slipway_root/$1" "$slipway_root/pyproject.toml" | sha256sum; }

is_installed() {
    local stamp="$venv/.installed-$1"
    [ -x "$venv/bin/registry" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(stamp_of "$1")" ]
}

# make_venv LOCK: a virtual environment with exactly what LOCK says, and this checkout in it.
make_venv() {
    local lock="$slipway_root/$1" python
    # The development lock holds the other one's packages too, so its stamp counts for both.
    is_installed "$1" && return 0
    is_installed requirements-dev.lock && return 0
    python=$(find_python) || {
        install_packages python3 python3-venv || fail "Python 3.11 or newer is needed"
        python=$(find_python) || fail "Python 3.11 or newer is needed"
    }
    if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        say "making a virtual environment in .venv with $("$python" --version)"
        rm -rf "$venv"
        if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
            install_packages python3-venv || fail "'$python -m venv' does not work here"
            rm -rf "$venv"
            "$python" -m venv "$venv" || fail "'$python -m venv' does not work here"
        fi
    fi
    say "installing Python packages from $1"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --requirement "$lock" || fail "pip could not install $1"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation --editable "$slipway_root" ||
        fail "pip could not install this checkout"
    stamp_of "$1" >"$venv/.installed-$1"
}
