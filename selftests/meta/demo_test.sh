#!/usr/bin/env bash
# The first command of the README, from a clean clone: does it show what the
# README says it shows?

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

demo() {
	local status=0
	git -c safe.directory='*' clone -q "$top" "$scratch/clone" &&
		make --no-print-directory -C "$scratch/clone" demo >"$scratch/said" 2>&1 || status=$?
	cat "$scratch/said"
	return "$status"
}

# shows WHAT PATTERN
shows() { try "make demo shows $1" grep -E "$2" "$scratch/said"; }

# Six events of one request, in the order of its life.
trace_is_whole() {
	grep -oE 'vblk_(queue|request)_[a-z]+' "$scratch/said" | paste -sd' ' |
		grep -x 'vblk_queue_kick vblk_request_begin vblk_request_submit vblk_request_end vblk_queue_give vblk_queue_interrupt'
}

try 'make demo in an empty clone' demo
shows 'a disk in a guest' '/dev/vd[a-z], 256 MiB, 2 queues, stock'
for step in partition system mount verified trim unmount fsck; do
	shows "that it succeeds in: $step" "$step.* ok +[0-9]+ s$"
done
shows 'what trimming did' 'discarded [1-9][0-9]* KiB$'
for row in 'read at depth 1' 'read at depth 32' 'write at depth 1' 'write at depth 32'; do
	shows "a measured $row" "^$row +[1-9][0-9]* +[1-9][0-9]* +[0-9]+\.[0-9]+$"
done
shows 'that the bridge slept' 'Context switches of the bridge meanwhile: 0$'
try 'make demo shows the life of one read' trace_is_whole
shows 'which read it was' 'vblk_request_begin: queue=[01] head=[0-9]+ IN sector=2048 len=4096 status=OK'
shows 'counters that balance' '^queue [01] running .* taken=([0-9]+) ended=\1 given=\1 '
shows 'how it went' '^box: 6.12: passed'
finish
