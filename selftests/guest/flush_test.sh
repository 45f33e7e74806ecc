#!/usr/bin/env bash
# Does a guest's flush reach the disk? The disk logs what is written and flushed
# (dm-log-writes), the guest what it was told; then both are compared, and the
# disk is looked at as it were after a loss of power. Runs in a box.
#
#   flush_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
kernel=${1:-6.12}
here=$top/selftests/guest
socket=$scratch/socket
words=$scratch/words
megabytes=128 serial=flushed queues=2
disk=/dev/mapper/$serial log=/dev/ram1

export DM_DISABLE_UDEV=1	# no daemon in the box makes nodes

make_log() {
	modprobe -a dm-log-writes loop
	modprobe brd rd_nr=2 rd_size=$((256 << 10))
	dmsetup create "$serial" --table "0 $((megabytes << 11)) log-writes /dev/ram0 $log"
}

run_guest() {
	"$top/tools/vm/box" run -s -t 800 -o "$scratch/box" \
		-a -smp -a $queues \
		-a -chardev -a "socket,id=bridge,path=$socket" \
		-a -device -a "vhost-user-blk-pci,chardev=bridge,num-queues=$queues" \
		"$kernel" "$here/flush.sh" $serial >"$words" 2>&1
}

# The rest of the log is written when the disk goes.
end_log() {
	dmsetup status "$serial"
	! dmsetup status "$serial" | grep -q disabled &&
		dmsetup remove "$serial" &&
		"$here/log_writes.py" count "$log"
}

check() { "$here/log_writes.py" check "$log" "$1"; }

# finds check|blind PHASE: complete, and with tags that are wrong.
finds() {
	local found
	found=$("$here/log_writes.py" "$1" "$log" "$2")
	echo "$found"
	[[ $found =~ ^240\ tags,\ [1-9] ]]
}

# after MARK: the disk as it was when that was written, as file $after.
after() {
	after=$scratch/after
	rm -f "$after"
	truncate -s "${megabytes}M" "$after" && "$here/log_writes.py" replay "$log" "$1" "$after"
}

random_writes() {
	after fio && fio --name=flush --filename="$after" --offset=64m --size=4m \
		--rw=randwrite --bs=4k --verify=crc32c --verify_only --verify_state_save=0 --output-format=terse
}

has_files() {
	local i
	for i in $(seq "$1"); do
		yes "file $i" | head -c 300000 | cmp - "$scratch/mount/$i" || return
	done
}

# file_system N: whole, with the files up to that.
file_system() {
	local status
	mkdir -p "$scratch/mount"
	after "ext4-$1" && mount -o loop "$after" "$scratch/mount" || return
	has_files "$1"
	status=$?
	umount "$scratch/mount" && fsck.ext4 -fn "$after" && [ "$status" = 0 ]
}

make_log || exit
start_bridge "$socket" "$disk" --serial $serial --num-queues $queues --once
try 'the bridge listens' test -S "$socket"
run_guest
guest_status=$?
if_it_ran $guest_status
ends "$bridge" 5
bridge_status=$?
show_guest "$words"
try 'the guest ends well' test $guest_status = 0
try 'the bridge ends when its frontend leaves' ended "$socket.log" $bridge_status
try 'the log is whole' end_log
try 'what a flush covered is durable after it' check back
try 'what is written through is durable at once' check through
try 'what a flush covered is durable again' check again
try 'who says so without flushing is found out' finds check lie
try 'who does not see flushes finds them missing' finds blind back
try 'who does not see FUA finds it missing' finds blind through
try 'without power, what fio flushed is there' random_writes
for i in 1 2 3; do
	try "without power, file $i of ext4 is there" file_system $i
done
finish
