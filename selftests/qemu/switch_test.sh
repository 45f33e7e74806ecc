#!/usr/bin/env bash
# vhost=on of a patched QEMU: the kernel and QEMU take turns at the queues of a disk
# that is in use, as the block layer has it. Runs in a box.
#
#   switch_test.sh [KERNEL [iothread]]   the guest's (6.12), where QEMU serves the disk

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
megabytes=160 turns=200
answer=$scratch/answer

export DM_DISABLE_UDEV=1	# no daemon in the box makes nodes

# --- what it says

# job ID STATUS: it comes to that; a job that is gone has ended.
job() { within "$patience" has_come "$@"; }

has_come() {
	qmp query-jobs >"$answer"
	if [ "$2" = gone ]; then
		! grep -q "\"id\": \"$1\"" "$answer"
	else
		grep -o "{[^{}]*\"id\": \"$1\"[^{}]*}" "$answer" | grep -q "\"status\": \"$2\""
	fi
}

# turned: how many times the queues changed hands so far.
turned() { cat "$scratch"/trace.* | grep -cE 'virtio_blk_vhost_(start|stop) '; }

# --- the guest

disk_of_guest="\$(disk main)"	# for the guest to find

# One area is written once, another all the time, and verified all the time.
still="fio --name=still --filename=$disk_of_guest --direct=1 --ioengine=libaio --iodepth=8
 --rw=write --bs=64k --offset=64m --size=16m --verify=crc32c --verify_state_save=0"
busy="fio --name=busy --filename=$disk_of_guest --direct=1 --ioengine=libaio --iodepth=16
 --rw=randwrite --bsrange=4k-16k --size=32m --verify=crc32c --verify_backlog=64 --verify_fatal=1
 --verify_state_save=0 --time_based --runtime=10000 --output-format=terse"

# runs_still OPTION: says what it found if that is wrong.
runs_still() { in_guest "${still//$'\n'/} $1 >/run/still 2>&1 || { cat /run/still; false; }"; }

begin_fio() {
	runs_still --do_verify=0 &&
		in_guest "(${busy//$'\n'/} >/run/busy 2>&1; echo \$? >/run/ended) &"
}

works() {
	in_guest "[ ! -e /run/ended ] || cat /run/busy /run/ended >&2; [ ! -e /run/ended ]" && moves
}

# Requests are done while somebody looks.
moves() { within "$patience" counts_other_than "$(count)"; }

count() { in_guest "cat /sys/block/\${d##*/}/stat"; }

counts_other_than() { [ "$(count)" != "$1" ]; }

# What fio ends with when it is told to end, and had nothing to complain of.
end_fio() {
	in_guest "pkill -INT fio; while [ ! -e /run/ended ]; do sleep 0.2; done; cat /run/busy; [ \$(cat /run/ended) = 128 ]"
}

still_there() { runs_still --verify_only; }

# --- what happens to it

nodes=(
	-blockdev "driver=host_device,node-name=disk-file,filename=/dev/mapper/switch,cache.direct=on,discard=unmap"
	-blockdev "driver=raw,node-name=disk,file=disk-file,cache.direct=on,discard=unmap"
)
threads=()
device=virtio-blk-pci,id=main,drive=disk,serial=main,vhost=on
if [ "${2-}" = iothread ]; then
	threads=(-object "iothread,id=thread")
	device+=,iothread=thread
fi

start() {
	start_guest "${nodes[@]}" "${threads[@]}" -device "$device" \
		-trace 'virtio_blk_vhost_*' -D "$scratch/trace.$EPOCHSECONDS" "$@"
}

make_disks() {
	make_disk lower 256 && lower=$disk &&
		make_disk spare $megabytes && spare=$disk &&
		dmsetup create switch --table "0 $((megabytes << 11)) linear $lower 0" &&
		dmsetup mknodes && disk=/dev/mapper/switch
}

add_spare() {
	qmp blockdev-add "{\"driver\": \"host_device\", \"node-name\": \"spare\", \"filename\": \"$spare\", \"cache\": {\"direct\": true}, \"discard\": \"unmap\"}"
}

pauses() { qmp stop && becomes 'off: a guest that does not run' && qmp cont; }

throttles() {
	qmp block_set_io_throttle "$(limits 1000)" && becomes 'off: throttling' && works &&
		qmp block_set_io_throttle "$(limits 0)"
}

limits() {
	echo "{\"id\": \"/machine/peripheral/main/virtio-backend\", \"iops\": $1, \"bps\": 0, \"bps_rd\": 0, \"bps_wr\": 0, \"iops_rd\": 0, \"iops_wr\": 0}"
}

tracks() {
	local bitmap='{"node": "disk", "name": "changes"}'
	qmp block-dirty-bitmap-add "$bitmap" && becomes 'off: a dirty bitmap' && works &&
		dirty && qmp block-dirty-bitmap-remove "$bitmap"
}

# It has what was written since.
dirty() {
	qmp query-named-block-nodes '{"flat": true}' >"$answer"
	grep -qE '"name": "changes"[^}]*"count": [1-9]|"count": [1-9][^}]*"name": "changes"' "$answer"
}

backs_up() {
	qmp blockdev-backup '{"job-id": "backup", "device": "disk", "target": "spare", "sync": "full", "speed": 33554432}' &&
		becomes 'off: a node other than raw*' && works && job backup gone
}

# mirrors FROM TO: and goes on there.
mirrors() {
	qmp blockdev-mirror "{\"job-id\": \"mirror\", \"device\": \"$1\", \"target\": \"$2\", \"sync\": \"full\"}" &&
		becomes 'off: a node other than raw*' && job mirror ready && works &&
		qmp job-complete '{"id": "mirror"}' && job mirror gone
}

snapshots() {
	"$directory/qemu-img" create -q -f qcow2 "$scratch/overlay" "${megabytes}M" &&
		qmp blockdev-add "{\"driver\": \"qcow2\", \"node-name\": \"overlay\", \"backing\": null, \"file\": {\"driver\": \"file\", \"filename\": \"$scratch/overlay\"}}" &&
		qmp blockdev-snapshot '{"node": "disk", "overlay": "overlay"}' &&
		becomes 'off: a node other than raw*' && works
}

commits() {
	qmp block-commit '{"job-id": "commit", "device": "overlay"}' && job commit ready && works &&
		qmp job-complete '{"id": "commit"}' && job commit gone && is_served &&
		qmp blockdev-del '{"node-name": "overlay"}'
}

grows() {
	megabytes=192
	dmsetup suspend switch &&
		dmsetup reload switch --table "0 $((megabytes << 11)) linear $lower 0" &&
		dmsetup resume switch &&
		qmp block_resize "{\"node-name\": \"disk\", \"size\": $((megabytes << 20))}" &&
		within "$patience" has_size
}

has_size() { [ "$(in_guest "cat /sys/block/\${d##*/}/size")" = $((megabytes << 11)) ]; }

# Another device comes, is read from, and goes.
# shellcheck disable=SC2016 # for the guest's shell
plugs() {
	qmp device_add "{\"driver\": \"virtio-blk-pci\", \"id\": \"guest\", \"drive\": \"spare\", \"serial\": \"guest\", \"bus\": \"socket1\", \"vhost\": \"on\"}" &&
		is_served guest &&
		in_guest 'until disk guest; do sleep 0.2; done; dd if=$(disk guest) of=/dev/null bs=1M count=8 iflag=direct' &&
		qmp device_del '{"id": "guest"}' &&
		within "$patience" is_gone guest &&
		in_guest 'while disk guest; do sleep 0.2; done'
}

# The whole state goes to a file, while the guest works; another QEMU goes on with it.
leaves() {
	qmp migrate "{\"uri\": \"file:$scratch/state\"}" && within "$patience" migrated &&
		becomes 'off: migration' && qmp quit
}

arrives() {
	within "$patience" is_running && return
	tail -n 5 "$heard"
	return 1
}

migrated() {
	qmp query-migrate >"$answer"
	grep -q '"status": "completed"' "$answer"
}

resets() { again qmp system_reset && is_served && in_guest "d=$disk_of_guest; [ -b \$d ]"; }

# --- whom it refuses

# refuses REASON DISK-OPTIONS DEVICE-OPTIONS: to begin, in words.
refuses() {
	local said
	said=$(timeout 60 "${qemu[@]}" -nodefaults -display none -M q35 -S \
		-blockdev "node-name=disk,$2" -device "virtio-blk-pci,drive=disk,vhost=on,$3" 2>&1 </dev/null)
	echo "$said"
	[[ $said = *"$1"* ]]
}

host="driver=host_device,filename=/dev/mapper/switch"

test_refusals() {
	truncate -s 1M "$scratch/file"
	try 'refuses a file' refuses 'a node other than raw on a host device' \
		"driver=file,filename=$scratch/file,cache.direct=on,discard=unmap" vhost-workers=1
	try 'refuses the page cache' refuses 'cache.direct=off' "$host,discard=unmap" vhost-workers=1
	try 'refuses to ignore discards' refuses 'discard=unmap' "$host,cache.direct=on" vhost-workers=1
	try 'refuses to stop at errors' refuses 'rerror or werror' "$host,cache.direct=on,discard=unmap" werror=stop
	try 'refuses copy-on-read' refuses 'a node other than raw' \
		"driver=copy-on-read,file.driver=host_device,file.filename=/dev/mapper/switch,file.cache.direct=on" discard=off
	try 'refuses a part of a disk' refuses 'a part of a disk' \
		"driver=raw,offset=1048576,cache.direct=on,file.driver=host_device,file.filename=/dev/mapper/switch,file.cache.direct=on" discard=off
	try 'refuses without ioeventfd' refuses 'ioeventfd=off' "$host,cache.direct=on,discard=unmap" ioeventfd=off
	try 'refuses a descriptor of nothing' refuses 'vhostfd' "$host,cache.direct=on,discard=unmap" vhostfd=99
	try 'refuses no workers' refuses 'vhost-workers' "$host,cache.direct=on,discard=unmap" vhost-workers=0
}

# --- all of it

port=(-device "pcie-root-port,id=socket1")

survive() {
	try "$1" "${@:2}"
	try 'then the kernel serves it again' is_served
	try 'and fio goes on' works
}

# Some rounds at a time, so that requests are in flight when the next ones begin.
take_turns() {
	while [ "$(turned)" -lt "$turns" ]; do
		"$top/selftests/qemu/turns.py" "$scratch/qmp" 5 && works || return
	done
	echo "$(turned) turns"
}

# QEMU's thread is stopped 19 of 20 ms, if it is busy, wherever it is then: it may be about
# to begin requests of a queue that is given away meanwhile.
hinder_thread() {
	local all=/sys/fs/cgroup group=/sys/fs/cgroup/qemu
	mkdir -p "$group"/thread && echo "$guest" >"$group"/cgroup.procs &&
		echo threaded >"$group"/thread/cgroup.type &&
		echo +cpu >"$all"/cgroup.subtree_control && echo +cpu >"$group"/cgroup.subtree_control &&
		qmp query-iothreads >"$answer" &&
		sed -nE 's/.*"thread-id": ([0-9]+).*/\1/p' "$answer" >"$group"/thread/cgroup.threads &&
		echo 1000 20000 >"$group"/thread/cpu.max
}

# How long queues took to be handed over: to the kernel at once; back, when what it took
# is done.
times() {
	local way
	for way in start stop; do
		sed -nE "s/.*virtio_blk_vhost_$way .* in ([0-9]+) ns/\1/p" "$scratch"/trace.* | sort -n |
			awk -v way="$way" '{ t[NR] = $1 / 1000 } END { printf "%s: %d times, median %d us, most %d us\n", way, NR, t[int((NR + 1) / 2)], t[NR] }'
	done
}

stalls_nobody() {
	times
	times | awk '/^start/ && $(NF - 1) < 100000 { found = 1 } END { exit !found }'
}

make_disks || exit
test_refusals
make_guest "${1:-6.12}"
start "${port[@]}"
try 'a guest boots' is_up
[ $failures = 0 ] || finish
in_guest "d=$disk_of_guest"
add_spare
try 'the kernel serves its disk' is_served
try 'fio works on it' begin_fio
try 'fio works' works
survive 'is stopped and goes on' pauses
survive 'is throttled for a while' throttles
survive 'has a dirty bitmap for a while' tracks
survive 'is backed up' backs_up
survive 'is mirrored to another disk, and stays there' mirrors disk spare
survive 'is mirrored back' mirrors spare disk
try 'has a snapshot' snapshots
survive 'which is committed' commits
survive 'grows' grows
survive 'has company' plugs
try 'leaves its QEMU' leaves
ends "$guest" 20
start "${port[@]}" -incoming "file:$scratch/state"
survive 'arrives at another' arrives
[ ${#threads[@]} = 0 ] || try 'its thread is hindered' hinder_thread
try "takes $turns turns" take_turns
try 'fio verified all that it wrote' end_fio
try 'what was written before all that is still there' still_there
try 'is reset' resets
try 'what was written before is still there' still_there
try 'no hand-over took 100 ms' stalls_nobody
try 'no kernel of a guest complained' quiet
tell o
ends "$guest" 30
try 'powers off, and QEMU ends' test $? = 0
try 'nothing is left in use' within 10 unused
finish
