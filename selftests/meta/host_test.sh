#!/usr/bin/env bash
# make demo ON=host, on a machine that has KVM: which is a box that must not know that it
# is one. Runs in a box.

[ -n "${private-}" ] || private=1 exec unshare -m "$0" "$@"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=/dev/null
. /run/vhost-blk/job

# may_write DIRECTORY: as on a machine; nothing of it is kept.
may_write() {
	local dir
	dir=$(mktemp -d -p /run)
	mkdir "$dir"/{upper,work}
	mount -t overlay host -o "lowerdir=$1,upperdir=$dir/upper,workdir=$dir/work" "$1"
}

become_a_machine() {
	rmmod vhost_blk
	may_write "$top"
	may_write "${cache:?}"
	mount -t tmpfs host /run/vhost-blk
	modprobe kvm_amd || modprobe kvm_intel
	# It would be given 20 s to show that it works, which is not much where it is emulated.
	export VBLK_ACCEL=kvm
	cd "$top" || exit
}

# shows WHAT PATTERN
shows() { try "it shows $1" grep -E "$2" "$scratch/said"; }

become_a_machine
# That emulation failed cannot be told from within: tap has it run again.
"$top/tools/demo/run" >"$scratch/said" 2>&1 || { cat "$scratch/said" && exit 75; }
try 'the demonstration comes to its end' cat "$scratch/said"
shows 'a scratch file for a disk' 'its disk /dev/loop[0-9]+ served by'
shows 'verified requests' 'verified.* ok +[0-9]+ s$'
shows 'what trimming did' 'discarded [1-9][0-9]* KiB$'
shows 'how it compares' '^write at depth 32 +[1-9][0-9]* +[1-9][0-9]* +[0-9]+\.[0-9]+$'
shows 'that the bridge slept' 'Context switches of the bridge meanwhile: 0$'
shows 'counters that balance' '^queue [01] running .* taken=([0-9]+) ended=\1 given=\1 '
try 'no loop device is left' test -z "$(losetup --all)"
try 'the module is gone' test ! -e /sys/module/vhost_blk
finish
