#!/usr/bin/env bash
# Firmware finds a boot loader, and that a kernel, on a disk of the bridge. Runs in a
# box.
#
#   firmware_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=firmware.sh
. "$(dirname "$0")/firmware.sh"
socket=$scratch/socket

make_disk firmware 96 || exit
make_guest "${1:-6.12}" vfat nls_cp437 nls_ascii
make_bootable
start_bridge "$socket" "$disk" --serial firmware
test_firmware -chardev "socket,id=disk,path=$socket" \
	-device vhost-user-blk-pci,chardev=disk,bootindex=0
kill -TERM "$bridge"
ends "$bridge" 10
try 'the bridge ends well' test $? = 0
finish
