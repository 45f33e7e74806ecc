#!/usr/bin/env bash
# QEMU's own tests of virtio-blk, with the patches: without vhost, and with each disk
# of theirs on /dev/vhost-blk. Runs in a box.
#
#   qtest_test.sh

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
export VBLK_QEMU=$directory
export QTEST_QEMU_IMG=$VBLK_QEMU/qemu-img QTEST_QEMU_BINARY

paths() { "$VBLK_QEMU/qos-test" -l | sed -nE 's,^# (/.*/virtio-blk.*),\1,p'; }

# passes PATH: by the word of the test.
passes() {
	timeout 120 "$VBLK_QEMU/qos-test" --tap -p "$1" >"$scratch/said" 2>&1
	local status=$?
	tail -n 20 "$scratch/said"
	[ "$status" = 0 ] && grep -q "^ok .* $1" "$scratch/said"
}

# run_all WAY: those of the paths on standard input.
run_all() {
	local path
	while read -r path; do
		try "vhost=$1: $path" "passes_$1" "$path"
	done
}

passes_off() { passes "$1"; }

# passes_on PATH: and the kernel served the disk, if the test has a driver that uses it.
passes_on() {
	passes "$1" || return
	[[ $1 != */@(basic|indirect|idx) ]] || grep -q '^virtio_blk_vhost_start' "$scratch/said"
}

# Three halve their file with block_resize, which no disk of the host lets them do.
of_disks() { grep -vE '/(config|resize|msix)$'; }

QTEST_QEMU_BINARY=$VBLK_QEMU/qemu-system-x86_64
paths >"$scratch/paths"
try 'there are some' test "$(wc -l <"$scratch/paths")" -ge 8
run_all off <"$scratch/paths"
modprobe loop
QTEST_QEMU_BINARY=$top/selftests/qemu/vhost-on/qemu-system-x86_64
run_all on < <(of_disks <"$scratch/paths")
try 'nothing is left in use' within 10 unused
finish
