# shellcheck shell=bash
# A guest's disk by each transport of virtio that QEMU has.

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

verifies() {
	in_guest "fio --name=verify --filename=\$(disk transport) --direct=1 --ioengine=libaio" \
		"--iodepth=16 --rw=randrw --bsrange=512-64k --blockalign=512 --size=4m" \
		"--verify=crc32c --verify_fatal=1 --end_fsync=1 >/run/fio 2>&1 || { tail -n 5 /run/fio; false; }"
}

# has_version_1 0|1: what device and driver agreed on.
has_version_1() {
	in_guest "bits=\$(cat /sys/block/\$(basename \$(disk transport))/device/features);" \
		"echo \$bits; [ \${bits:32:1} = $1 ]"
}

# is_on DRIVER: of the bus.
is_on() {
	in_guest "readlink -f /sys/block/\$(basename \$(disk transport))/device/../driver | grep $1"
}

# test_transport NAME DRIVER VERSION-1 ARGUMENT...
test_transport() {
	start_guest "${@:4}"
	try "$1: boots" is_up
	try "$1: is on $2" is_on "$2"
	try "$1: has VIRTIO_F_VERSION_1 or not" has_version_1 "$3"
	try "$1: the module serves it" is_served
	try "$1: fio verifies" verifies
	leave "$1"
}

# leave NAME: the guest is killed.
leave() {
	kill_now "$guest"
	try "$1: the module serves nobody after that" within 10 unused
}

# test_transports PCI MMIO OPTIONS ARGUMENT...: QEMU's devices for these, with the serial
# "transport", and what is behind them.
test_transports() {
	local pci=$1,$3 mmio=$2,$3
	test_transport legacy virtio-pci 0 -device "$pci,disable-modern=on,disable-legacy=off" "${@:4}"
	test_transport transitional virtio-pci 1 -device "$pci,disable-modern=off,disable-legacy=off" "${@:4}"
	test_transport modern virtio-pci 1 -device "$pci,disable-modern=off,disable-legacy=on" "${@:4}"
	machine=microvm bus=device test_transport mmio virtio-mmio 1 \
		-global virtio-mmio.force-legacy=false -device "$mmio" "${@:4}"
}
