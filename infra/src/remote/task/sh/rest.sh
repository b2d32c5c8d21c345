cd "$lethe_place" 2>/dev/null && [ -e started ] && [ -e "$lethe_file" ] && [ ! -e gone ] || exit 3
# Before it, a login may have said anything.
echo "$lethe_mark"
tail -c "+$lethe_from" "$lethe_file" 2>/dev/null | head -c "$lethe_bytes" 2>/dev/null
