if lethe_bury || [ -e "$lethe_place/gone" ]; then
    lethe_say buried
elif lethe_read_processes && [ "$lethe_keeper" = buried ]; then
    lethe_say buried
elif [ -e "$lethe_place/started" ]; then
    lethe_say there
else
    lethe_say unable folder
fi
