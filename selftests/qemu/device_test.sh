#!/usr/bin/env bash
# What a virtio-blk device of QEMU can be told, with vhost=on: it works, and the kernel
# serves it, or QEMU does where the kernel cannot. Runs in a box.
#
#   device_test.sh [KERNEL]   the guest's (6.12)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=../guest/transport.sh
. "$top/selftests/guest/transport.sh"
options=id=main,drive=disk,serial=transport

# plug NAME OPTIONS [WORDS]: such a device, of the node "disk", comes to the guest, and QEMU
# says these.
plug() { try "$1: comes" comes "$2" "${3-\"\"}"; }

comes() {
	qmp human-monitor-command "{\"command-line\": \"device_add virtio-blk-pci,bus=socket1,$options,$1\"}" |
		grep -F "$2" &&
		within "$patience" in_guest 'disk transport'
}

# polls_for NAME US: the kernel's worker looks for more, for so long.
polls_for() { try "$1: the worker polls for $2 us" has_limit "$2"; }

has_limit() { queues_of "$guest" | grep " running .* poll-us=$1\$"; }

# serves NAME: the kernel, and it works to the end.
serves() {
	try "$1: the kernel serves it" is_served
	finishes "$1"
}

finishes() {
	try "$1: fio verifies" verifies
	try "$1: goes" goes
	try "$1: the module serves nobody after that" within 10 unused
}

goes() {
	qmp device_del '{"id": "main"}' && within "$patience" is_gone main &&
		within "$patience" in_guest '! disk transport'
}

# --- interrupts

# Where all interrupts of a device are masked: in its capability of MSI-X (PCI 3.0,
# 6.8.2.3).
# shellcheck disable=SC2016 # for the guest's shell
find_mask='config=$(readlink -f /sys/block/$(basename $(disk transport))/device/..)/config;
byte() { od -An -tu1 -j$1 -N1 $config | tr -d " "; };
at=$(byte 52); until [ $(byte $at) = 17 ]; do at=$(byte $((at + 1))); done; at=$((at + 3))'

# mask 128|192: no, yes. The disk does not even tell its serial number then.
mask() {
	in_guest "printf \"\\$(printf '%o' "$1")\" | dd of=\$config bs=1 seek=\$at conv=notrunc status=none; byte \$at | grep -x $1"
}

# What ends while they are masked is learned of when they are not any more.
waits_for_interrupts() {
	in_guest "node=\$(disk transport); ${find_mask//$'\n'/ }" &&
		mask 192 &&
		in_guest "dd if=\$node of=/run/read bs=4k count=1 iflag=direct status=none & reader=\$!; sleep 1; kill -0 \$reader" &&
		mask 128 &&
		in_guest "wait \$reader"
}

test_interrupts() {
	plug 'without MSI-X' vhost=on,vectors=0
	serves 'without MSI-X'
	plug MSI-X vhost=on
	try 'MSI-X: requests wait for it to be unmasked' waits_for_interrupts
	serves MSI-X
}

# --- queues, and the cache

# fua: how many writes to the disk had to be durable when they ended, for a write of the
# guest in each block.
fua() {
	local trace=/sys/kernel/tracing
	echo >"$trace/trace"
	echo 1 >"$trace/events/block/block_bio_queue/enable"
	in_guest "dd if=/dev/zero of=\$(disk transport) bs=4k count=8 oflag=direct status=none"
	echo 0 >"$trace/events/block/block_bio_queue/enable"
	grep -cE 'block_bio_queue: [0-9,]+ WFS' "$trace/trace"
}

# is_cached THROUGH|BACK WRITES: after the guest has chosen it.
is_cached() {
	in_guest "cd /sys/block/\$(basename \$(disk transport)); echo write $1 >cache_type; cat cache_type; cd /"
	[ "$(fua)" = "$2" ]
}

test_settings() {
	plug 'by a descriptor' "vhost=on,vhostfd=$vhost"
	try 'by a descriptor: write through is durable' is_cached through 8
	try 'by a descriptor: write back is not' is_cached back 0
	polls_for 'by a descriptor' 32
	serves 'by a descriptor'
	local name='2 queues of 64, 2 workers that poll'
	plug "$name" vhost=on,num-queues=2,queue-size=64,vhost-workers=2,poll-us=20
	polls_for "$name" 20
	serves "$name"
}

# --- where QEMU serves it

# says_once WORDS
says_once() {
	sed -n 's/.*warning: //p' "$heard"
	[ "$(grep -c "warning: .*$1" "$heard")" = 1 ]
}

resumes() { qmp stop && qmp cont && becomes "$1"; }

test_auto() {
	plug vhost=auto vhost=auto
	serves vhost=auto
	plug 'no vhost' vhost=auto,vhostfd=99 'QEMU serves the device'
	try 'no vhost: QEMU serves it' becomes off
	finishes 'no vhost'
	plug 'page cache' vhost=auto,drive=cached
	try 'page cache: QEMU serves it' becomes "off: the host's page cache*"
	try 'page cache: whatever comes' resumes "off: the host's page cache*"
	try 'page cache: it says so once' says_once "because of the host's page cache"
	finishes 'page cache'
}

test_devices() {
	exec {vhost}<>/dev/vhost-blk
	start_guest -smp 2 -device pcie-root-port,id=socket1 -blockdev "$(node)" \
		-blockdev "driver=host_device,node-name=cached,filename=$cached"
	exec {vhost}<&-
	try 'a guest boots' is_up
	test_settings
	test_interrupts
	test_auto
	kill_now "$guest"
}

test_iommu() {
	local boot=("${boot[@]/console=/intel_iommu=on console=}")
	start_guest -device intel-iommu -blockdev "$(node)" \
		-device "virtio-blk-pci,$options,vhost=on,iommu_platform=on,disable-legacy=on"
	try 'IOMMU: boots' is_up
	try 'IOMMU: QEMU serves it' becomes 'off: an IOMMU'
	try 'IOMMU: it says so' says_once 'because of an IOMMU'
	try 'IOMMU: fio verifies' verifies
	leave IOMMU
}

make_disk cached 64 && cached=$disk && make_disk transport 64 cache_size=8 || exit
make_guest "${1:-6.12}"
test_devices
test_iommu
test_transports virtio-blk-pci virtio-blk-device "$options,vhost=on" -blockdev "$(node)"
try 'no kernel of a guest complained' quiet
finish
