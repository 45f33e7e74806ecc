#!/usr/bin/env bash
# In a guest: is each disk what the host says it is, and does it keep what is
# written, for as long as the host wants?
#
# The host leaves in the folder of results: disks, a line of geometry() for each;
# enough, when no more has to be written; bye, when the guest may go.

# shellcheck source=../meta/lib.sh
. "$(dirname "$0")/../meta/lib.sh"
# shellcheck source=/dev/null
. /run/vhost-blk/job

declare -A disks

find_disks() {
	local file serial
	for file in /sys/block/vd*/serial; do
		serial=$(cat "$file")
		[ -z "$serial" ] || disks[$serial]=$(basename "$(dirname "$file")")
	done
}

# geometry SERIAL: the disk's line of the host, as the guest sees it.
geometry() {
	local dir=/sys/block/${disks[$1]:-none}
	(cd "$dir" && echo "$1" "$(cat size queue/{{logical,physical}_block_size,discard_{max_bytes,granularity},write_cache} |
		paste -sd' ')")
}

is_as_there() {
	local seen
	seen=$(geometry "$1")
	echo "here:  $seen"
	echo "there: $(grep "^$1 " "${out:?}/disks")"
	grep -qxF "$seen" "$out/disks"
}

# Rounds of writing all over 4 MB, reading and verifying.
verify() {
	local block rounds=0
	block=$(cat "/sys/block/${disks[$1]}/queue/logical_block_size")
	until [ $rounds != 0 ] && [ -e "$out/enough" ]; do
		fio --name="$1" --filename="/dev/${disks[$1]}" --direct=1 --ioengine=libaio \
			--iodepth=8 --rw=randrw --bsrange="$block-64k" --blockalign="$block" \
			--size=4m --verify=crc32c --verify_backlog=64 --verify_fatal=1 \
			--verify_state_save=0 --end_fsync=1 --randseed=$((rounds += 1)) \
			--output-format=terse >"$scratch/$1.fio" 2>&1 ||
			{ tail -n 5 "$scratch/$1.fio"; return 1; }
	done
	echo "rounds: $rounds"
}

# All at the same time: what each said, and how it ended, in files.
verify_all() {
	local serial
	for serial; do
		{ verify "$serial"; echo $? >"$scratch/$serial.status"; } >"$scratch/$serial.said" 2>&1 &
	done
	wait
}

verified() {
	cat "$scratch/$1.said"
	[ "$(cat "$scratch/$1.status")" = 0 ]
}

discards() { [ "$(cat "/sys/block/${disks[$1]}/queue/discard_max_bytes")" != 0 ]; }

find_disks
readarray -t serials < <(cut -d' ' -f1 "${out:?}/disks")
for serial in "${serials[@]}"; do
	try "$serial is as on the host" is_as_there "$serial"
done
echo 'io begins'
verify_all "${serials[@]}"
for serial in "${serials[@]}"; do
	try "$serial keeps what is written" verified "$serial"
	! discards "$serial" || try "$serial discards" blkdiscard "/dev/${disks[$serial]}"
done
echo 'io ends'
until [ -e "$out/bye" ]; do sleep 0.5; done
finish
