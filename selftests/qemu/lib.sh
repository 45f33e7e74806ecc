# shellcheck shell=bash
# What the tests of vhost=on share: the QEMU that has it, and who serves a device there.

# shellcheck source=../guest/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../guest/lib.sh"
directory=$("$top/tools/qemu/build") || exit
# shellcheck disable=SC2034 # for start_guest
qemu=("$directory/qemu-system-x86_64")

# asks DEVICE: for its status, in an answer.
asks() {
	local path=/machine/peripheral/$1/virtio-backend
	[ "${bus:-pci}" = pci ] || path=${path%/*}	# no device of the bus is in front
	qmp qom-get "{\"path\": \"$path\", \"property\": \"vhost-status\"}"
}

# node [OPTIONS]: a -blockdev, called "disk", of $disk; without, as the kernel serves it.
node() { echo "driver=host_device,node-name=disk,filename=$disk,${1:-cache.direct=on,discard=unmap}"; }

# is PATTERN [DEVICE]: that is its status.
# shellcheck disable=SC2053 # it is a pattern
is() { [[ $(asks "${2:-main}" | sed -E 's/.*"return": "(.*)".*/\1/') = $1 ]]; }

becomes() { within "$patience" is "$@" || { asks "${2:-main}"; return 1; }; }

# is_served [DEVICE]: by the kernel, as QEMU says.
is_served() { becomes on "$@"; }

is_gone() { ! asks "$1"; }
