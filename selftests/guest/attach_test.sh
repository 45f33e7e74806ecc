#!/usr/bin/env bash
# A disk of /dev/vhost-blk in a real guest: stock QEMU attaches it by the bridge,
# a stock kernel uses it. Runs in a box; the guest is a box in that.
#
#   attach_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
kernel=${1:-6.12}
socket=$scratch/socket
said=$scratch/guest
megabytes=256 serial=a-stock-guest queues=2

switches() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$bridge/status"; }

# The guest says when its fio begins and ends.
watch_bridge() {
	local word
	for word in begins ends; do
		until grep -q "fio $word" "$said"; do
			kill -0 "$guest" 2>/dev/null || return 0
			sleep 0.05
		done
		switches >"$scratch/$word"
	done
}

run_guest() {
	"$top/tools/vm/box" run -s -t 800 -o "$scratch/box" \
		-a -smp -a $queues \
		-a -chardev -a "socket,id=bridge,path=$socket" \
		-a -device -a "vhost-user-blk-pci,chardev=bridge,num-queues=$queues" \
		"$kernel" "$top/selftests/guest/disk.sh" $serial $megabytes $queues \
		>"$said" 2>&1 &
	guest=$!
	watch_bridge
	wait $guest
}

slept() {
	echo "context switches when fio began and ended: $(cat "$scratch"/begins "$scratch"/ends | paste -sd' ')"
	[ -s "$scratch/begins" ] && cmp "$scratch/begins" "$scratch/ends"
}

# What the guest wrote last is on the host's disk.
wrote_through() { [ "$(dd if="$disk" bs=1M skip=200 count=1 status=none | tr -d '\0' | head -c 7)" = goodbye ]; }

make_disk attach $megabytes || exit
start_bridge "$socket" "$disk" --serial $serial --num-queues $queues --once
try 'the bridge listens' test -S "$socket"
: >"$said"
run_guest
guest_status=$?
if_it_ran $guest_status
ends "$bridge" 5
bridge_status=$?
show_guest "$said"
try 'the guest ends well' test $guest_status = 0
try 'the bridge slept while fio ran' slept
try 'the bridge ends when its frontend leaves' ended "$socket.log" $bridge_status
try 'what the guest wrote is on the disk' wrote_through
finish
