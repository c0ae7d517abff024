# Sourced by demo.sh and test.sh: finds a Python and makes virtual environments.

# make_venv FOLDER PIP-ARGUMENT...: makes the environment if it is not there, installs what is named.
make_venv() {
  local folder=$1 python
  shift
  if [ ! -x "$folder/bin/python" ]; then
    for python in python3.11 python3.12 python3.13 python3; do
      command -v "$python" >/dev/null && "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
      python=""
    done
    if [ -z "$python" ]; then
      echo "Python 3.11 or newer with venv is needed (Debian: apt-get install python3.11-venv)." >&2
      return 2
    fi
    [ -f "$folder" ] && rm "$folder" # tox leaves a file of this name that points to its own
    "$python" -m venv "$folder"
  fi
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt "$@"
}
