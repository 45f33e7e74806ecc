#!/usr/bin/env bash
# A guest verifies what it writes, and something befalls it, its VMM or its bridge, by
# chance, again and again. Runs in a box.
#
#   soak.sh MINUTES [SEED]   with the same SEED, the same happens

# shellcheck source=life.sh
. "$(dirname "$0")/life.sh"
minutes=$1 seed=${2:-$((SRANDOM % 32768))}
events=(reset_guest kill_vmm kill_bridge restart_bridge)

verifies() { verify_in_background && verified; }

# What is kept takes room.
make_room() { [ "$(wc -l <"$scratch/kept")" -lt 20 ] || forget; }

RANDOM=$seed
make_disk life 320 irqmode=2 completion_nsec=1000000 || exit
make_guest 6.12 ext4
start_life
start_patient
try 'a guest boots' is_up
try 'makes an ext4' make_file_system ext4 -q
keep
while [ $SECONDS -lt $((minutes * 60)) ] && [ $failures = 0 ]; do
	echo "# $((SECONDS / 60)) of $minutes minutes, SEED=$seed"
	${events[RANDOM % ${#events[@]}]}
	try 'and fio verifies' verifies
	make_room
done
try 'no kernel of a guest complained' quiet
kill_now "$guest"
kill -TERM "$bridge"
ends "$bridge" 10
finish
