#!/usr/bin/env bash
# make install and make uninstall, in a box: does modprobe find the module, udev
# give the node to the group kvm, and uninstall leave nothing? Takes the path of
# a built module in VHOST_BLK_KO, as the box does.

# shellcheck source=../../selftests/meta/lib.sh
. "$(dirname "$0")/../../selftests/meta/lib.sh"
out=${VHOST_BLK_KO%/vhost/*}
make=(make -s --no-print-directory -C "$top" OUT="$out" KDIR="$KDIR")

everything() {
	find /lib/modules /usr /etc -xdev \( -type f -o -type l \) ! -name 'modules.*' | sort
	find /lib/modules -type f ! -name 'modules.*' | sort
}

node_is() { [ "$(stat -c '%U:%G %a' /dev/vhost-blk)" = "$1" ]; }

header_compiles() {
	echo '#include <linux/vhost_blk.h>' | gcc -I/usr/local/include -Wall -Werror -xc -c -o /dev/null -
}

bridge_runs() {
	local file=/usr/share/qemu/vhost-user/50-vhost-blk-bridge.json
	"$(sed -n 's/.*"binary": "\(.*\)".*/\1/p' "$file")" --print-capabilities | grep '"type": "block"'
}

same_files() { diff "$scratch/before" <(everything); }

refuses_without_build() {
	! "${make[@]}" OUT=/nonexistent install >"$scratch/refusal" 2>&1 &&
		grep -q "run 'make' first" "$scratch/refusal"
}

only_in_destdir() {
	"${make[@]}" DESTDIR="$scratch/dest" install
	same_files && [ "$(find "$scratch/dest" -type f | wc -l)" = 9 ]
}

empty_destdir() {
	"${make[@]}" DESTDIR="$scratch/dest" uninstall
	[ -z "$(find "$scratch/dest" -type f)" ]
}

# Without the kernel's own modules depmod is done before an emulated box gives up.
mount -t tmpfs none "/lib/modules/$(uname -r)/kernel"
rmmod vhost_blk
/usr/lib/systemd/systemd-udevd --daemon
everything >"$scratch/before"
try 'install says what to do if nothing is built' refuses_without_build
try 'install with DESTDIR writes there only' only_in_destdir
try 'uninstall with DESTDIR empties it' empty_destdir
try 'install' "${make[@]}" install
try 'modprobe finds the module' modprobe vhost-blk
udevadm settle
try 'the node belongs to root:kvm, 0660' node_is 'root:kvm 660'
try 'a program finds the header' header_compiles
try 'vhost-blk-ctl runs from where it is installed' vhost-blk-ctl features
try 'vhost-blk-bridge runs from where its description says' bridge_runs
try 'uninstall' "${make[@]}" uninstall
rmmod vhost_blk
try 'modprobe does not find the module any more' sh -c '! modprobe -q vhost-blk'
try 'nothing is left' same_files
finish
