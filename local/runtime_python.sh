#!/bin/sh
# Prints the path of a Python of the version that the functions run on, or fails.
#
# `sam build` and the compiled files of the layers need exactly that version. Version managers leave a `python3.13`
# on the PATH that only complains when another version is selected, so every candidate has to run.

is_it='import sys; sys.exit(sys.version_info[:2] != (3, 13))'

for candidate in \
    "$(command -v python3.13)" \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python3.13 \
    "$(uv python find --no-python-downloads 3.13 2>/dev/null)" \
    "$(command -v python3)"
do
    if [ -x "$candidate" ] && "$candidate" -c "$is_it" 2>/dev/null; then
        exec "$candidate" -c 'import sys; print(sys.executable)'
    fi
done
echo "No Python 3.13 found: install one (your package manager, pyenv or uv), or put it on the PATH." >&2
exit 1
