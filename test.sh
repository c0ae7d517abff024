#!/usr/bin/env bash
# Installs what the tests need, tries the wheel as a user gets it, then checks style, types and import
# layers and runs every test with real napari windows on a virtual screen. Arguments go to pytest;
# with any, the wheel is left out.
set -euo pipefail
cd "$(dirname "$0")"

packages="xvfb xauth libegl1 libgl1 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1 libglib2.0-0
  libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] && ! dpkg -s $packages >/dev/null 2>&1; then
  echo "Installing Debian packages for Qt and the virtual screen ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi

source ./python.sh
make_venv .venv-test tox

environments=wheel,full
[ $# -gt 0 ] && environments=full
run=(.venv-test/bin/tox run -e $environments -- "$@")
if command -v xvfb-run >/dev/null; then
  exec xvfb-run -a -s "-screen 0 1600x1000x24" "${run[@]}"
fi
exec "${run[@]}"
