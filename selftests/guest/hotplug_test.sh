#!/usr/bin/env bash
# Disks come and go while another one, of four queues, is at work. Runs in a box.
#
#   hotplug_test.sh [KERNEL [RELEASE]]   the guest's (6.12), and of which Debian release
#                                   QEMU is (trixie)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
queues=4

has_queues() { in_guest "[ \$(ls -d /sys/block/\$(basename \$(disk stays))/mq/* | wc -l) = $queues ]"; }

# A job on each CPU, and so on each queue, over and over again.
verify_in_background() {
	in_guest "(until [ -e /run/stop ]; do" \
		"fio --name=verify --filename=\$(disk stays) --direct=1 --ioengine=libaio --iodepth=4" \
		"--numjobs=$queues --cpus_allowed=0-$((queues - 1)) --cpus_allowed_policy=split" \
		"--rw=randwrite --bsrange=512-32k --blockalign=512 --size=1m --offset_increment=1m" \
		"--verify=crc32c --verify_fatal=1 >/run/fio 2>&1 || exit; done) & fio=\$!"
}

is_at_work() { in_guest "kill -0 \$fio"; }

verified() { in_guest "touch /run/stop; wait \$fio || { tail -n 5 /run/fio; false; }"; }

# Requests of the guest came by each queue.
used_all_queues() {
	queues_of "$stays" |
		awk -v "queues=$queues" '{ print } / taken=[1-9]/ { n++ } END { exit n != queues }'
}

plug() {
	qmp chardev-add '{"id": "plug", "backend": {"type": "socket", "data": {"server": false,
		"addr": {"type": "unix", "data": {"path": "'"$scratch/plug"'"}}}}}' &&
		qmp device_add '{"driver": "vhost-user-blk-pci", "id": "plug-disk", "chardev": "plug", "bus": "free-port"}' &&
		within "$patience" in_guest "disk plugged"
}

works() {
	in_guest "dd if=/dev/urandom of=/run/data bs=1M count=4 status=none" &&
		in_guest "dd if=/run/data of=\$(disk plugged) bs=64k oflag=direct status=none" &&
		in_guest "dd if=\$(disk plugged) bs=1M count=4 iflag=direct status=none | cmp - /run/data" &&
		[ "$(in_guest 'sha256sum </run/data')" = "$(dd if="$plugged" bs=1M count=4 iflag=direct status=none | sha256sum)" ]
}

# The guest lets it go, as it is asked to; then QEMU does.
unplug() {
	qmp device_del '{"id": "plug-disk"}' && within "$patience" is_unplugged &&
		qmp chardev-remove '{"id": "plug"}' &&
		! in_guest "disk plugged"
}

is_unplugged() { ! qmp qom-list '{"path": "/machine/peripheral"}' | grep -q plug-disk; }

# Only the disk that stays is served.
is_left() { [ "$(cat /sys/module/vhost_blk/refcnt)" = 1 ]; }

make_busy() {
	in_guest "dd if=/dev/zero of=\$(disk plugged) bs=64k oflag=direct status=none & sleep 0.2; kill -0 \$!"
}

make_disk stays 64 || exit
start_bridge "$scratch/stays" "$disk" --serial stays --num-queues $queues
stays=$bridge
make_disk plugged 256 irqmode=2 completion_nsec=1000000 || exit
plugged=$disk
start_bridge "$scratch/plug" "$disk" --serial plugged
make_guest "${1:-6.12}"
take_qemu "${2:-trixie}"
start_guest -smp $queues -device pcie-root-port,id=free-port,chassis=1 \
	-chardev "socket,id=stays,path=$scratch/stays" \
	-device vhost-user-blk-pci,chardev=stays,num-queues=$queues
try "a guest of $queues CPUs boots" is_up
try "has a disk of $queues queues" has_queues
verify_in_background
for round in first second; do
	try "another disk is plugged in, a $round time" plug
	try 'works' works
	try 'is unplugged' unplug
	try 'the module has let it go' within 10 is_left
done
try 'is plugged in again' plug
try 'is busy' make_busy
try 'is unplugged then' unplug
try 'the module has let it go' within 10 is_left
try 'its bridge stays' kill -0 "$bridge"
try 'the other disk was at work all the time' is_at_work
try 'and fio verified it' verified
try 'by all of its queues' used_all_queues
kill_now "$guest"
try 'no kernel of a guest complained' quiet
kill -TERM "$stays" "$bridge"
try 'the bridges end' within 10 gone "$stays"
ends "$bridge" 10
finish
