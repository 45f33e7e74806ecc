#!/usr/bin/env bash
# A disk of the bridge by each transport of virtio that QEMU has for it. Runs in a box.
#
#   transport_test.sh [KERNEL [RELEASE]]   the guest's (6.12), and of which Debian release
#                                     QEMU is (trixie)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
socket=$scratch/socket

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
	start_guest -chardev "socket,id=disk,path=$socket" "${@:4}"
	try "$1: boots" is_up
	try "$1: is on $2" is_on "$2"
	try "$1: has VIRTIO_F_VERSION_1 or not" has_version_1 "$3"
	try "$1: fio verifies" verifies
	kill_now "$guest"
	try "$1: the module serves nobody after that" within 10 unused
}

make_disk transport 64 || exit
make_guest "${1:-6.12}"
take_qemu "${2:-trixie}"
start_bridge "$socket" "$disk" --serial transport
device=vhost-user-blk-pci,chardev=disk
test_transport legacy virtio-pci 0 -device $device,disable-modern=on,disable-legacy=off
test_transport transitional virtio-pci 1 -device $device,disable-modern=off,disable-legacy=off
test_transport modern virtio-pci 1 -device $device,disable-modern=off,disable-legacy=on
machine=microvm bus=device test_transport mmio virtio-mmio 1 \
	-global virtio-mmio.force-legacy=false -device vhost-user-blk,chardev=disk
try 'no kernel of a guest complained' quiet
kill -TERM "$bridge"
ends "$bridge" 10
try 'the bridge ends well' test $? = 0
finish
