[ -n "$2" ] || exec "$1/command"
exec "$2" "$1/command"
