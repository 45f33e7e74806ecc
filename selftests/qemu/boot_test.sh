#!/usr/bin/env bash
# Firmware boots from a disk with vhost=on. Runs in a box.
#
#   boot_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=../guest/firmware.sh
. "$top/selftests/guest/firmware.sh"

make_disk firmware 96 || exit
make_guest "${1:-6.12}" vfat nls_cp437 nls_ascii
make_bootable
test_firmware -blockdev "$(node)" \
	-device virtio-blk-pci,id=main,drive=disk,serial=firmware,bootindex=0,vhost=on
finish
