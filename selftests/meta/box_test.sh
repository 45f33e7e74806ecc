#!/usr/bin/env bash
# Is the box to be believed? Each script here goes wrong in a way of its own,
# and the box must say which. Names of kernels as arguments choose among the
# cases (all of them without).

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
box=$top/tools/vm/box
# In the place of the box's own: what it needs, and what makes it boot sooner.
cmdline='console=ttyS0 panic=-1 loglevel=7 maxcpus=1 lpj=10000000 cryptomgr.notests'

# expect KERNEL VERDICT STATUS NAME COMMAND...
expect() {
	local kernel=$1 verdict=$2 status=$3 name=$4
	shift 4
	case " $kernels " in
	*" $kernel "*) try "$kernel: $name is '$verdict'" ends_as "$verdict" "$status" "$name" "$@" ;;
	esac
}

# ends_as VERDICT STATUS NAME COMMAND...: COMMAND in a box of $kernel. That emulation
# fails is no answer, if it is not the one that is to come.
ends_as() {
	local dir=$top/build/meta/$kernel-${3// /-} got=0 word=none repeat=(-r)
	[ "$2" != 75 ] || repeat=()
	"$box" run -o "$dir" "${repeat[@]}" "${options[@]}" "$kernel" "${@:4}" >"$scratch/box" 2>&1 || got=$?
	read -r word _ <"$dir/verdict"
	[ "$word" != "$1" ] || [ "$got" != "$2" ] || return 0
	echo "it is '$word' with status $got; the box said:"
	tail -n 20 "$scratch/box"
	return 1
}

# splat KERNEL WHAT: the module that does WHAT on purpose.
splat() {
	echo "insmod $top/build/$1/splat/splat.ko what=$2; rmmod splat"
}

# says SECONDS LINE...: a script that has the kernel say so on its console, and sleeps.
says() {
	printf 'echo "%s" >/dev/kmsg\n' "${@:2}"
	echo "sleep $1"
}

# outlives TIMES VERDICT: the box's QEMU aborts that often before the command.
outlives() {
	local dir=$top/build/meta/abort-$1 word=none pid=''
	"$box" run -b -t 300 -o "$dir" "$kernel" sh -c 'sleep 1; echo begun' >"$scratch/box" 2>&1 &
	for _ in $(seq "$1"); do
		pid=$(other_qemu "$dir" "$pid")
		kill -ABRT "$pid"
	done
	wait $! || true
	read -r word _ <"$dir/verdict"
	[ "$word" != "$2" ] || return 0
	echo "it is '$word'; the box said:"
	tail -n 20 "$scratch/box"
	return 1
}

# gives_up: each time, the kernel says as it boots that it hangs.
gives_up() {
	local word=none
	"$box" run -b -t 300 -o "$top/build/meta/hang" -a -append \
		-a "$cmdline rcu=\"detected stalls\"" "$kernel" true >"$scratch/box" 2>&1
	read -r word _ <"$top/build/meta/hang/verdict"
	cat "$scratch/box"
	[ "$word" = lost ] && [ "$(grep -c 'lost: emulation failed: .*, again' "$scratch/box")" = 2 ]
}

# other_qemu DIR PID: the process of the box that uses DIR, once it is not PID.
other_qemu() {
	local pid
	for _ in $(seq 600); do
		pid=$(pgrep -xf "qemu-system-x86_64 .*path=$1/result.*") && [ "$pid" != "$2" ] && break
		sleep 0.1
	done
	echo "$pid"
}

# begin COMMAND...: a box in $dir that may be silent for 20 s.
begin() {
	rm -rf "$dir"
	VBLK_SILENT_SECONDS=20 "$box" run -b -t 300 -o "$dir" "$kernel" "$@" >"$scratch/box" 2>&1 &
}

# stop_at LINE: nothing in that box runs any more once LINE is on its console.
stop_at() {
	until grep -q "$1" "$dir/console"; do
		kill -0 $! || return
		sleep 0.01
	done 2>/dev/null
	kill -STOP "$(other_qemu "$dir" '')"
}

# pause_at LINE SECONDS: for that long.
pause_at() {
	stop_at "$1" && sleep "$2" && kill -CONT "$(other_qemu "$dir" '')"
}

# stops: none of the CPUs runs any more, as if QEMU were stuck.
stops() {
	local dir=$top/build/meta/stop word=none
	begin sleep 1000
	stop_at 'the box is up'
	wait $! || true
	read -r word _ <"$dir/verdict"
	cat "$scratch/box"
	[ "$word" = lost ]
}

# lives: a box that took longer to come up than it may be silent, and then waits.
lives() {
	local dir=$top/build/meta/slow
	begin true
	pause_at 'Linux version' 30 && pause_at 'the box is up' 8
	wait $! && return
	cat "$scratch/box"
	return 1
}

kernels=${*:-6.12 kasan kcsan}
for kernel in $kernels; do
	make -s --no-print-directory -C "$top" "build-$kernel" >&2
done
"$top/tools/vm/kernel" get 6.1 >/dev/null # for the guest; a box cannot fetch it
options=(-b -t 300)
expect 6.12 passed 0 'a script that succeeds on two CPUs' sh -c 'nproc | grep -qx 2'
expect 6.12 failed 7 'a script that fails' sh -c 'exit 7'
expect 6.12 failed 127 'a script that is not there' no-such-command
expect 6.12 silent 125 'a power-off without a word' sh -c 'echo o >/proc/sysrq-trigger; sleep 100'
expect 6.12 panic 125 'a panic' sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
expect 6.12 warning 125 'a WARN' sh -c "$(splat 6.12 warn)"
expect 6.12 oops 125 'an oops' sh -c "$(splat 6.12 oops)"
blocked='INFO: task x blocked for more than 120 seconds.'
stuck='watchdog: BUG: soft lockup - CPU#0 stuck for 22s!'
taken_back='Oops: int3: 0000 [#1] SMP NOPTI'
ours=' vblk_queue_serve+0x1/0x2 [vhost_blk]'
expect 6.12 hang 125 'a task that hangs' sh -c "$(says 1 "$blocked")"
expect 6.12 lost 75 'a CPU that locks up' sh -c "$(says 1000 "$stuck")"
expect 6.12 lockup 125 'a CPU that locks up in our module' sh -c "$(says 1 "$stuck" "$ours")"
expect 6.12 lost 75 'a CPU that runs a breakpoint of none' sh -c "$(says 1 "$taken_back")"
expect 6.12 int3 125 'a CPU that does in our module' sh -c "$(says 1 "$taken_back" "$ours")"
expect kasan kasan 125 'a use after free' sh -c "$(splat kasan use-after-free)"
expect kasan leak 125 'a leak' sh -c "$(splat kasan leak)"
expect kcsan lockdep 125 'a lock taken in the wrong order' sh -c "$(splat kcsan deadlock)"
expect kcsan race 125 'a data race' sh -c "$(splat kcsan race)"
case " $kernels " in
*" 6.12 "*)
	kernel=6.12
	try '6.12: a box starts over when emulation aborts as it boots' outlives 2 passed
	try '6.12: a box does not start over for ever' outlives 3 silent
	try '6.12: nor if its kernel hangs each time it boots' gives_up
	try '6.12: a box none of whose CPUs runs is lost' stops
	try '6.12: a box that is slow to come up is not' lives
	;;
esac
options=(-b -t 300 -a -append -a "$cmdline reboot=triple")
expect 6.12 reset 75 'a triple fault' sh -c 'echo b >/proc/sysrq-trigger; sleep 100'
options=(-b -t 30)
expect 6.12 timeout 124 'a script that hangs' sleep 1000
options=(-t 300)
expect 6.12 stuck 125 'a module that is still in use' sh -c 'sleep 1000 </dev/vhost-blk & sleep 0.1'
options=(-b -g -t 600)
expect 6.12 failed 5 'a guest in the box that fails' "$box" run 6.1 sh -c 'exit 5'
expect 6.12 failed 75 'a guest that ends without a word' "$box" run 6.1 sh -c 'echo o >/proc/sysrq-trigger; sleep 100'
finish
