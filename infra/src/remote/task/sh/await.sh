cd "$lethe_place" 2>/dev/null && [ -e started ] && [ ! -e gone ] || exit 3
echo "$lethe_mark"
tail -n +1 -f ended &
lethe_one=$!
cat >/dev/null
kill "$lethe_one"
