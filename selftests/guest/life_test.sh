#!/usr/bin/env bash
# What befalls a guest, its VMM and its bridge while the disk is in use: is what was
# written still there, and can the next ones go on? Runs in a box.
#
#   life_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
socket=$scratch/socket
disk_of_guest="\$(disk life)"	# for the guest to find

start_life() { start_bridge "$socket" "$disk" --serial life; }

# start_patient [PROPERTIES]: with these of its connection to the bridge.
start_patient() {
	start_guest -chardev "socket,id=disk,path=$socket${1:-}" \
		-device vhost-user-blk-pci,chardev=disk
}

# Whoever comes next begins with what the last one left.
take_disk() {
	in_guest "load ext4; mount $disk_of_guest /mnt && umount /mnt && fsck.ext4 -fn $disk_of_guest" &&
		in_guest "mount -o discard $disk_of_guest /mnt"
}

# keep NAME: a file that is safe as soon as this is done.
keep() {
	in_guest "dd if=/dev/urandom of=/mnt/$1 bs=64k count=48 conv=fsync status=none" &&
		in_guest "cd /mnt && sha256sum $1; cd /" >>"$scratch/kept"
}

is_kept() {
	in_guest "echo 3 >/proc/sys/vm/drop_caches; cd /mnt && tr ';' '\n' <<<'$(paste -sd';' "$scratch/kept")' | sha256sum -c; cd /"
}

written() { awk '{ print $7 }' "/sys/block/${disk##*/}/stat"; }

writes_more() { [ "$(written)" -gt "$1" ]; }

# Writers that never end, so that something is in flight at any time.
make_busy() {
	local before
	before=$(written)
	# shellcheck disable=SC2016 # for the guest's shell
	in_guest 'for i in 1 2 3 4; do' \
		'while dd if=/dev/zero of=/mnt/busy$i bs=32k count=128 oflag=direct status=none; do :; done &' \
		'done' &&
		within 30 writes_more $((before + 2048)) && in_flight
}

# The bridge's device has requests that were taken and not yet given back. fio may
# take long to start.
in_flight() {
	within 60 is_in_flight || { grep -h '^vhost-blk-queue' /proc/"$bridge"/fdinfo/*; return 1; }
}

is_in_flight() {
	grep -h '^vhost-blk-queue' /proc/"$bridge"/fdinfo/* |
		awk '{ for (i = 1; i <= NF; i++) if (split($i, s, "=") == 2) n[s[1]] += s[2] }
			END { exit n["taken"] == n["given"] }'
}

# make_file_system KIND OPTION...
make_file_system() {
	in_guest "load $1; mkfs.$* $disk_of_guest && mount -o discard $disk_of_guest /mnt"
}

# The host's disk is told of what a deleted file leaves.
trims() {
	local before
	before=$(discarded)
	in_guest 'dd if=/dev/urandom of=/mnt/rest bs=1M count=16 conv=fsync status=none' &&
		in_guest 'mount -o remount,nodiscard /mnt && rm /mnt/rest && sync && fstrim -v /mnt' &&
		[ $(($(discarded) - before)) -ge 32768 ]
}

discarded() { awk '{ print $14 }' "/sys/block/${disk##*/}/stat"; }

# again COMMAND...: does it, and the guest boots.
again() {
	: >"$heard"
	"$@" && is_up
}

# The last words to a guest, which has no time for an answer.
tell() { echo "$EPOCHREALTIME sync; umount -a -t ext4,xfs; echo $1 >/proc/sysrq-trigger" >&"$told"; }

stays() { within 10 unused && ! gone "$bridge"; }

is_running() { qmp query-status | grep '"running": true'; }

verify_in_background() {
	in_guest 'fio --name=verify --directory=/mnt --size=8m --direct=1 --ioengine=libaio' \
		'--iodepth=8 --rw=randwrite --bsrange=4k-32k --verify=crc32c --verify_fatal=1 --loops=3' \
		'>/run/fio 2>&1 & fio=$!' &&
		in_flight
}

verified() { in_guest "wait \$fio || { tail -n 5 /run/fio; false; }"; }

connected() { within 20 grep -q 'a frontend connects' "$socket.log"; }

test_reboot_and_reset() {
	try 'a guest boots' is_up
	try 'makes an ext4' make_file_system ext4 -q
	try 'trims it down to the host' trims
	try 'keeps a file' keep first
	try 'reboots' again tell b
	try 'finds its disk as it was' take_disk
	try 'and its file' is_kept
	try 'is busy' make_busy
	try 'is reset then, and boots' again qmp system_reset
	try 'its disk is clean after a replay' take_disk
	try 'and the file is there' is_kept
}

test_killed_vmm() {
	keep second
	try 'is busy again' make_busy
	kill_now "$guest"
	try 'its VMM is killed, the bridge stays' stays
	start_patient
	try 'takes the next guest' is_up
	try 'whose disk is clean after a replay' take_disk
	try 'and the files are there' is_kept
}

test_killed_bridge() {
	keep third
	try 'is busy, too' make_busy
	kill_now "$bridge"
	try 'the bridge is killed, the VMM lives' is_running
	try 'the module serves nobody' within 10 unused
	kill_now "$guest"
	start_life
	start_patient ,reconnect-ms=500
	try 'a new bridge serves the next guest' is_up
	try 'whose disk is clean after a replay' take_disk
	try 'and the files are there' is_kept
}

test_restarted_bridge() {
	try 'has fio at work' verify_in_background
	kill -TERM "$bridge"
	ends "$bridge" 10
	try 'the bridge is asked to end, and does well' test $? = 0
	try 'the module serves nobody' within 10 unused
	start_life
	try 'the VMM comes back to a new one' connected
	try 'nothing was lost meanwhile' verified
	try 'the files are there' is_kept
}

test_xfs() {
	in_guest umount /mnt
	: >"$scratch/kept"
	try 'makes an xfs' make_file_system xfs -q -f
	try 'keeps a file there' keep fourth
	try 'trims it down to the host' trims
	try 'it is whole' in_guest "umount /mnt && xfs_repair -n $disk_of_guest"
	in_guest "mount $disk_of_guest /mnt"
	try 'and so is the file' is_kept
	tell o
	ends "$guest" 30
	try 'powers off, and its VMM ends' test $? = 0
	try 'the bridge stays' stays
}

make_disk life 320 irqmode=2 completion_nsec=1000000 || exit
make_guest "${1:-6.12}" ext4 xfs
start_life
start_patient
test_reboot_and_reset
test_killed_vmm
test_killed_bridge
test_restarted_bridge
test_xfs
try 'no kernel of a guest complained' quiet
kill -TERM "$bridge"
ends "$bridge" 10
finish
