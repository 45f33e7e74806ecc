#!/usr/bin/env bash
# Can a guest tell whether the kernel serves its disk, or QEMU? Runs in a box.
#
#   same_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# All that a driver learns from the device, as the guest's kernel shows it.
# shellcheck disable=SC2016 # for the guest's shell
seen='d=$(disk same); cd /sys/block/${d##*/}; grep -sH . queue/* size ro serial cache_type mq/*/cpu_list device/features | grep -v "queue/\(scheduler\|.*_usec\)"; cd /'

# sees WAY DEVICE-OPTIONS: what a guest sees, in $scratch/WAY.
sees() {
	start_guest -device "virtio-blk-pci,id=main,drive=disk,serial=same,vhost=$1$2" \
		-blockdev "$(node)"
	is_up && in_guest "$seen" >"$scratch/$1" && becomes "$1"
	local status=$?
	cat "$scratch/$1"
	tell o
	ends "$guest" 30
	return "$status"
}

# same DEVICE-OPTIONS
same() {
	sees off "$1" >/dev/null && sees on "$1" || return
	[ "$(wc -l <"$scratch/on")" -gt 30 ] && diff "$scratch/off" "$scratch/on"
}

make_disk same 64 || exit
make_guest "${1:-6.12}"
try 'a guest sees the same' same ''
try 'and with other settings' same ,num-queues=2,queue-size=128,config-wce=off,physical_block_size=4096
try 'no kernel of a guest complained' quiet
finish
