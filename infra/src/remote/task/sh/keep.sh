# The keeper of a command: starts it once, and notes how it ended.
lethe_take() {
    dd bs="$1" count=1 iflag=fullblock 2>/dev/null || dd bs=1 count="$1" 2>/dev/null
}
lethe_mask=$1
cd "$lethe_place" || exit
lethe_inner=$(lethe_take "$lethe_inner_bytes")
lethe_take "$lethe_command_bytes" >"command.$$"
lethe_look $$
read -r lethe_boot </proc/sys/kernel/random/boot_id
echo "$$ $lethe_tick $lethe_boot" >"note.$$"
: >>out && : >>err && : >>ended
if [ $(($(wc -c <"command.$$"))) -ne "$lethe_command_bytes" ] || [ ! -s "note.$$" ]; then
    lethe_answer="unable folder"
elif ln "note.$$" started; then
    # From here on nobody else starts it, and it can be found.
    lethe_answer=launched
elif [ -e started ]; then
    lethe_answer=there
else
    lethe_answer="unable folder"
fi
if [ "$lethe_answer" = launched ]; then
    mv "command.$$" command
else
    rm -f "command.$$"
fi
rm -f "note.$$"
# Whoever asked may be gone by now.
trap '' PIPE
echo "$lethe_answer"
exec </dev/null >/dev/null
trap - PIPE
[ "$lethe_answer" = launched ] || exit

lethe_shell=${SHELL:-/bin/sh}
read -r lethe_first <command
case $lethe_first in "#!"*) chmod 700 command; lethe_shell= ;; esac
# util-linux's setsid tells a signal from an exit code above 128. Elsewhere the shell's own report
# does, except for INT and PIPE (in bash for TERM too), which then count as exit codes.
setsid -fw true 2>/dev/null && lethe_how=-fw || lethe_how=
{ printf '%s\n' "$lethe_inner" | setsid $lethe_how sh -c 'eval "$(cat)"' lethe "$lethe_place" "$lethe_shell" "$lethe_mask"; } 2>report
lethe_code=$?
lethe_ending=exited
if [ ! -s group ]; then
    cat report >>err
elif [ -s report ]; then
    lethe_ending=signalled lethe_code=$((lethe_code % 128))
fi
# Before anything is removed: where the disk is full, the end is not known.
echo "$lethe_ending $lethe_code $(($(wc -c <out))) $(($(wc -c <err)))" >exit.new && mv exit.new exit
rm -f command report
echo >>ended
