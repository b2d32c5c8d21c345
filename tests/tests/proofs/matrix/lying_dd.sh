#!/bin/sh
# Reads what it is asked to. Where that is the script of a kill, its answer comes in its place.
read=$(mktemp) || exit
dd.real "$@" >"$read"
code=$?
if grep -q '^lethe_cause=' "$read"; then
    echo 'echo; echo lethe: killed gently'
else
    cat "$read"
fi
rm -f "$read"
exit "$code"
