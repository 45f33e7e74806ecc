#!/usr/bin/env bash
# What befalls a guest, its VMM and its bridge while the disk is in use: is what was
# written still there, and can the next ones go on? Runs in a box.
#
#   life_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=life.sh
. "$(dirname "$0")/life.sh"

# The host's disk is told of what a deleted file leaves.
trims() {
	local before
	before=$(discarded)
	in_guest 'dd if=/dev/urandom of=/mnt/rest bs=1M count=16 conv=fsync status=none' &&
		in_guest 'mount -o remount,nodiscard /mnt && rm /mnt/rest && sync && fstrim -v /mnt' &&
		[ $(($(discarded) - before)) -ge 32768 ]
}

discarded() { awk '{ print $14 }' "/sys/block/${disk##*/}/stat"; }

test_reboot() {
	try 'a guest boots' is_up
	try 'makes an ext4' make_file_system ext4 -q
	try 'trims it down to the host' trims
	try 'keeps a file' keep
	try 'reboots' again tell b
	try 'finds its disk as it was' take_disk
	try 'and its file' is_kept
}

test_xfs() {
	in_guest umount /mnt
	forget
	try 'makes an xfs' make_file_system xfs -q -f
	try 'keeps a file there' keep
	try 'trims it down to the host' trims
	try 'it is whole' in_guest "umount /mnt && xfs_repair -n $disk_of_guest"
	in_guest "mount $disk_of_guest /mnt"
	try 'and so is the file' is_kept
	tell o
	ends "$guest" "$patience"
	try 'powers off, and its VMM ends' test $? = 0
	try 'the bridge stays' bridge_stays
}

make_disk life 320 irqmode=2 completion_nsec=1000000 || exit
make_guest "${1:-6.12}" ext4 xfs
start_life
start_patient
test_reboot
reset_guest
kill_vmm
kill_bridge
restart_bridge
test_xfs
try 'no kernel of a guest complained' quiet
kill -TERM "$bridge"
ends "$bridge" 10
finish
