#!/usr/bin/env bash
# In a guest: is its disk all that it has to be?
#
#   disk.sh SERIAL MEGABYTES QUEUES

# shellcheck source=../meta/lib.sh
. "$(dirname "$0")/../meta/lib.sh"
serial=$1 megabytes=$2 queues=$3

find_disk() {
	local file
	for file in /sys/block/vd*/serial; do
		[ "$(cat "$file")" != "$serial" ] || disk=$(basename "$(dirname "$file")")
	done
	[ -n "${disk:-}" ]
}

is() {
	echo "$1: $(cat "/sys/block/$disk/$1")"
	[ "$(cat "/sys/block/$disk/$1")" = "$2" ]
}

has_queues() { [ "$(find "/sys/block/$disk/mq" -mindepth 1 -maxdepth 1 | wc -l)" = "$queues" ]; }

verify() {
	fio --name=verify --filename="/dev/$disk" --direct=1 --ioengine=libaio --iodepth=16 \
		--rw=randrw --bsrange=512-64k --blockalign=512 --size=32m --verify=crc32c \
		--verify_backlog=256 --verify_fatal=1 --end_fsync=1 --output-format=terse >"$scratch/fio" 2>&1 ||
		{ tail -n 5 "$scratch/fio"; return 1; }
}

file_system() {
	mkdir -p "$scratch/mount"
	mkfs.ext4 -q "/dev/$disk" &&
		mount "/dev/$disk" "$scratch/mount" &&
		dd if=/dev/urandom of="$scratch/mount/file" bs=64k count=128 status=none &&
		sum=$(sha256sum <"$scratch/mount/file") &&
		umount "$scratch/mount" &&
		echo 3 >/proc/sys/vm/drop_caches &&
		mount -o discard "/dev/$disk" "$scratch/mount" &&
		[ "$(sha256sum <"$scratch/mount/file")" = "$sum" ] &&
		rm "$scratch/mount/file" &&
		umount "$scratch/mount" &&
		fsck.ext4 -fn "/dev/$disk"
}

# What was discarded reads as zeroes from a null_blk.
discard() {
	dd if=/dev/urandom of="/dev/$disk" bs=1M count=8 oflag=direct status=none &&
		blkdiscard -o 0 -l 4M "/dev/$disk" &&
		cmp -n $((4 << 20)) "/dev/$disk" /dev/zero &&
		! cmp -n $((8 << 20)) "/dev/$disk" /dev/zero >/dev/null
}

say_goodbye() {
	printf goodbye | dd of="/dev/$disk" bs=1M seek=200 conv=fsync,notrunc status=none
}

find_disk || { echo "no disk $serial: $(cat /sys/block/vd*/serial)"; exit 1; }
try "is there as $disk, with its serial" true
try 'has its size' is size $((megabytes * 2048))
try 'can be written to' is ro 0
try 'has a cache' is queue/write_cache 'write back'
try "has $queues queues" has_queues
echo 'fio begins'
try 'fio verifies what it wrote' verify
echo 'fio ends'
try 'discards' discard
try 'has a file system that is whole' file_system
try 'flushes' say_goodbye
finish
