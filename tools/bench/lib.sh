# shellcheck shell=bash
# What the comparisons share. Who has it has ratios(), what is compared in the end: lines
# "NAME CELL OURS THEIRS [TARGET [FIGURE]]". A CELL * is the one in which OURS does worst, of
# several THEIRS with | between them the best counts; without TARGET the ratio is to be 1 or
# better, if that is none, it has none; FIGURE is that of the first table, or another one.

set -euo pipefail
top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")

die() { echo "${0##*/}: $*" >&2; exit 1; }

is_in_a_box() { [ -e /run/vhost-blk/job ]; }

until_there() {
	for _ in {1..100}; do
		[ ! -e "$1" ] || return 0
		sleep 0.1
	done
	die "$1 is not there"
}

# Memory that is shared is in huge pages as well, for who asks for them.
allow_huge_pages() { echo advise >/sys/kernel/mm/transparent_hugepage/shmem_enabled; }

# ran NAME COMMAND...: for the report.
ran() { echo "ran $1 ${*:2}"; }

# begin NAME COMMAND...: in the background, its process in $begun, and in the report.
begin() {
	ran "$@"
	"${@:2}" &
	# shellcheck disable=SC2034 # for those who read this file
	begun=$!
}

# start_daemon DISK SOCKET [THREAD-OPTIONS]: a disk as QEMU's daemon serves it, which is as
# lean as it can be set up; its process in $begun.
start_daemon() {
	begin qemu-storage-daemon qemu-storage-daemon --object "iothread,id=thread${3-}" \
		--blockdev "driver=host_device,node-name=disk,filename=$1,cache.direct=on,aio=io_uring" \
		--export "type=vhost-user-blk,id=export,node-name=disk,iothread=thread,addr.type=unix,addr.path=$2,writable=on,num-queues=2"
	until_there "$2"
}

# results NAME: where what comes of it is, on the host and in the box.
results() { echo "$top/build/box/$1"; }

# run_in_box NAME KERNEL ARGUMENTS BOX-OPTION...: the same command in a box of that kernel.
run_in_box() {
	# shellcheck disable=SC2086 # they are words
	"$top/tools/vm/box" run "${@:4}" -o "$(results "$1")" "$2" "$top/tools/bench/${0##*/}" $3
}

# show NAME [lost]: what came of it, or the cells in which we lose.
show() {
	ratios >"$(results "$1")/ratios"
	"$top/tools/vm/root" enter trixie "$top/tools/bench/report" "$1" "$(results "$1")" "${@:2}"
}
