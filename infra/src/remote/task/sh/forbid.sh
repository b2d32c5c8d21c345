if lethe_forbid || [ -e "$lethe_place/gone" ]; then
    lethe_say forbidden
elif lethe_read_processes && [ "$lethe_keeper" = forbidden ]; then
    lethe_say forbidden
elif [ -e "$lethe_place/started" ]; then
    lethe_say there
else
    lethe_say unable folder
fi
