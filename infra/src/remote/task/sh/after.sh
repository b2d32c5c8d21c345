[ -n "$4" ] || exec "$2" "$1/command"
exec "$2" "$4" "$1/command"
