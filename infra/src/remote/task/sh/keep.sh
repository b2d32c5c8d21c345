# The keeper of a command: starts it once, and notes how it ended.
take() {
    dd bs="$1" count=1 iflag=fullblock 2>/dev/null || dd bs=1 count="$1" 2>/dev/null
}
mask=$1
cd "$place" || exit
inner=$(take "$inner_bytes")
take "$command_bytes" >"command.$$"
look $$
read -r boot </proc/sys/kernel/random/boot_id
echo "$$ $start $boot" >"note.$$"
: >>out && : >>err && : >>ended
if [ $(($(wc -c <"command.$$"))) -ne "$command_bytes" ] || [ ! -s "note.$$" ]; then
    answer="unable folder"
elif ln "note.$$" started; then
    # From here on nobody else starts it, and it can be found.
    answer=launched
elif [ -e started ]; then
    answer=there
else
    answer="unable folder"
fi
if [ "$answer" = launched ]; then
    mv "command.$$" command
else
    rm -f "command.$$"
fi
rm -f "note.$$"
# Whoever asked may be gone by now.
trap '' PIPE
echo "$answer"
exec </dev/null >/dev/null
trap - PIPE
[ "$answer" = launched ] || exit

shell=${SHELL:-/bin/sh}
read -r first <command
case $first in "#!"*) chmod 700 command; shell= ;; esac
# util-linux's setsid tells a signal from an exit code above 128. Elsewhere the shell's own report
# does, except for INT and PIPE (in bash for TERM too), which then count as exit codes.
setsid -fw true 2>/dev/null && how=-fw || how=
{ printf '%s\n' "$inner" | setsid $how sh -c 'eval "$(cat)"' lethe "$place" "$shell" "$mask"; } 2>report
code=$?
ending=exited
if [ ! -s group ]; then
    cat report >>err
elif [ -s report ]; then
    ending=signalled code=$((code % 128))
fi
# Before anything is removed: where the disk is full, the end is not known.
echo "$ending $code $(($(wc -c <out))) $(($(wc -c <err)))" >exit.new && mv exit.new exit
rm -f command report
echo >>ended
