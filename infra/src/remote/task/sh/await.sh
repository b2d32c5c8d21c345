cd "$place" 2>/dev/null && [ -e started ] || exit 3
echo "$mark"
tail -n +1 -f ended &
one=$!
cat >/dev/null
kill "$one"
