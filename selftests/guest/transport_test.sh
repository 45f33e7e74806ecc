#!/usr/bin/env bash
# A disk of the bridge by each transport of virtio that QEMU has for it. Runs in a box.
#
#   transport_test.sh [KERNEL [RELEASE]]   the guest's (6.12), and of which Debian release
#                                     QEMU is (trixie)

# shellcheck source=transport.sh
. "$(dirname "$0")/transport.sh"
socket=$scratch/socket

make_disk transport 64 || exit
make_guest "${1:-6.12}"
take_qemu "${2:-trixie}"
start_bridge "$socket" "$disk" --serial transport
test_transports vhost-user-blk-pci vhost-user-blk chardev=disk \
	-chardev "socket,id=disk,path=$socket"
try 'no kernel of a guest complained' quiet
kill -TERM "$bridge"
ends "$bridge" 10
try 'the bridge ends well' test $? = 0
finish
