#!/usr/bin/env bash
# In a guest: write and flush, so that the log of the host's disk tells whether
# what the guest was told is durable was so by then. 128 MB: a file system in
# the first half, then fio, then from 96 MB on tags.
#
#   flush.sh SERIAL

# shellcheck source=../meta/lib.sh
. "$(dirname "$0")/../meta/lib.sh"
serial=$1

find_disk() {
	local file
	for file in /sys/block/vd*/serial; do
		[ "$(cat "$file")" != "$serial" ] || disk=$(basename "$(dirname "$file")")
	done
	[ -n "${disk:-}" ]
}

# tag MEGABYTE PHASE HOW
tag() { "$top/selftests/guest/tags.py" "/dev/$disk" $(($1 << 20)) "$2" "$3"; }

cache() {
	echo "$1" >"/sys/block/$disk/cache_type"
	grep -H . "/sys/block/$disk/cache_type" "/sys/block/$disk/queue/write_cache"
	[ "$(cat "/sys/block/$disk/queue/write_cache")" = "$1" ]
}

# The host looks for it by the same random numbers.
random_writes() {
	fio --name=flush --filename="/dev/$disk" --offset=64m --size=4m --direct=1 \
		--ioengine=libaio --iodepth=8 --rw=randwrite --bs=4k --fsync=16 --end_fsync=1 \
		--verify=crc32c --do_verify=0 --output-format=terse >"$scratch/fio" 2>&1 ||
		{ tail -n 5 "$scratch/fio"; return 1; }
	tag 120 fio mark
}

# Each file is there when the mark after it is written.
file_system() {
	local i
	mkdir "$scratch/mount"
	mkfs.ext4 -q "/dev/$disk" 64M && mount "/dev/$disk" "$scratch/mount" || return
	for i in 1 2 3; do
		yes "file $i" | head -c 300000 |
			dd of="$scratch/mount/$i" bs=64k iflag=fullblock conv=fsync status=none &&
			tag $((120 + i)) "ext4-$i" mark || return
	done
	umount "$scratch/mount"
}

find_disk || { echo "no disk $serial: $(cat /sys/block/vd*/serial)"; exit 1; }
try 'has a cache' cache 'write back'
try 'flushes tags' tag 96 back flush
try 'says so without flushing' tag 100 lie lie
try 'flushes for fio' random_writes
try 'flushes for ext4' file_system
try 'has no cache any more' cache 'write through'
try 'writes tags through' tag 104 through through
try 'has a cache again' cache 'write back'
try 'flushes tags again' tag 108 again flush
finish
