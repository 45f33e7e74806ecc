#!/usr/bin/env bash
# The first command of the README, from a clean clone: does it show what the
# README says it shows?

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

demo() {
	local status=0
	git -c safe.directory='*' clone -q "$top" "$scratch/clone" &&
		make --no-print-directory -C "$scratch/clone" demo >"$scratch/said" 2>&1 || status=$?
	cat "$scratch/said"
	return "$status"
}

# shows WHAT PATTERN
shows() { try "make demo shows $1" grep -E "$2" "$scratch/said"; }

try 'make demo in an empty clone' demo
shows 'the device node' '/dev/vhost-blk$'
shows 'a feature by its name' 'VIRTIO_F_VERSION_1'
shows 'the trace of becoming the owner' 'vblk_ioctl: .*VHOST_SET_OWNER .*result=0'
shows 'the trace of asking for features' 'vblk_ioctl: .*VHOST_GET_FEATURES .*result=0'
shows 'how it went' '^box: 6.12: passed'
finish
