#!/usr/bin/env bash
# A disk of /dev/vhost-blk in a real guest: stock QEMU attaches it by the bridge,
# a stock kernel uses it. Runs in a box; the guest is a box in that.
#
#   attach_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=../meta/lib.sh
. "$(dirname "$0")/../meta/lib.sh"
kernel=${1:-6.12}
socket=$scratch/socket
said=$scratch/guest
megabytes=256 serial=a-stock-guest queues=2

# On blk-mq, with its data in memory.
make_disk() {
	local dir=/sys/kernel/config/nullb/attach
	modprobe null_blk nr_devices=0
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	mkdir "$dir"
	echo 1 >"$dir/memory_backed"
	echo 1 >"$dir/discard"
	echo $megabytes >"$dir/size"
	echo 1 >"$dir/power"
	disk=/dev/nullb$(cat "$dir/index")
	[ -b "$disk" ] || disk=/dev/attach	# since Linux 6.2 it has the folder's name
	[ -b "$disk" ]
}

start_bridge() {
	vhost-blk-bridge --socket "$socket" --blk-file "$disk" --serial $serial \
		--num-queues $queues --once >"$scratch/bridge" 2>&1 &
	bridge=$!
	for _ in $(seq 100); do
		[ ! -S "$socket" ] || break
		sleep 0.1
	done
}

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
	"$top/tools/vm/box" run -t 280 -o "$scratch/box" \
		-a -smp -a $queues \
		-a -object -a "memory-backend-memfd,id=mem,size=768M,share=on" \
		-a -machine -a memory-backend=mem \
		-a -chardev -a "socket,id=bridge,path=$socket" \
		-a -device -a "vhost-user-blk-pci,chardev=bridge,num-queues=$queues" \
		"$kernel" "$top/selftests/guest/disk.sh" $serial $megabytes $queues \
		>"$said" 2>&1 &
	guest=$!
	watch_bridge
	wait $guest
}

# By itself, as its frontend has left: with its status in bridge_status.
end_bridge() {
	for _ in $(seq 50); do
		kill -0 "$bridge" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$bridge" 2>/dev/null
	wait "$bridge"
	bridge_status=$?
}

# With status 0, and what it said.
ended() {
	cat "$scratch/bridge"
	[ "$1" = 0 ]
}

slept() {
	echo "context switches when fio began and ended: $(cat "$scratch"/begins "$scratch"/ends | paste -sd' ')"
	[ -s "$scratch/begins" ] && cmp "$scratch/begins" "$scratch/ends"
}

# What the guest wrote last is on the host's disk.
wrote_through() { [ "$(dd if="$disk" bs=1M skip=200 count=1 status=none | tr -d '\0' | head -c 7)" = goodbye ]; }

make_disk || exit
start_bridge
try 'the bridge listens' test -S "$socket"
: >"$said"
run_guest
guest_status=$?
end_bridge
grep -E '^(not )?ok ' "$said" | sed -E 's/^(not )?ok [0-9]+ - /\1/' >"$scratch/results"
while read -r line; do
	case $line in
	'not '*) try "guest: ${line#not }" false ;;
	*) try "guest: $line" true ;;
	esac
done <"$scratch/results"
sed 's/^/# /' "$said"
try 'the guest ends well' test $guest_status = 0
try 'the bridge slept while fio ran' slept
try 'the bridge ends when its frontend leaves' ended $bridge_status
try 'what the guest wrote is on the disk' wrote_through
finish
