#!/usr/bin/env bash
# Is the box to be believed? Each script here goes wrong in a way of its own,
# and the box must say which. Names of kernels as arguments choose among the
# cases (all of them without).

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
box=$top/tools/vm/box

# expect KERNEL VERDICT STATUS NAME [OPTION...] [COMMAND...]
expect() {
	local kernel=$1 verdict=$2 status=$3 name=$4 got=0 dir
	shift 4
	case " ${kernels:-$kernel} " in *" $kernel "*) ;; *) return ;; esac
	dir=$top/build/meta/$kernel-${name// /-}
	"$box" run -o "$dir" "${options[@]}" "$kernel" "$@" >"$scratch/box" 2>&1 || got=$?
	read -r word _ <"$dir/verdict" || word=none
	if [ "$word" = "$verdict" ] && [ $got = "$status" ]; then
		ok 0 "$kernel: $name is '$verdict'"
	else
		ok 1 "$kernel: $name is '$verdict'"
		echo "it is '$word' with status $got; the box said:" | explain
		tail -n 20 "$scratch/box" | explain
	fi
}

# splat KERNEL WHAT: the module that does WHAT on purpose.
splat() {
	echo "insmod $top/build/$1/selftests/meta/splat.ko what=$2; rmmod splat"
}

kernels=$*
options=(-b -t 120)
expect 6.12 passed 0 'a script that succeeds' true
expect 6.12 failed 7 'a script that fails' sh -c 'exit 7'
expect 6.12 failed 127 'a script that is not there' no-such-command
expect 6.12 silent 125 'a power-off without a word' sh -c 'echo o >/proc/sysrq-trigger; sleep 100'
expect 6.12 panic 125 'a panic' sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
expect 6.12 warning 125 'a WARN' sh -c "$(splat 6.12 warn)"
expect 6.12 oops 125 'an oops' sh -c "$(splat 6.12 oops)"
expect kasan kasan 125 'a use after free' sh -c "$(splat kasan use-after-free)"
expect kasan lockdep 125 'a lock taken in the wrong order' sh -c "$(splat kasan deadlock)"
expect kasan leak 125 'a leak' sh -c "$(splat kasan leak)"
expect kcsan race 125 'a data race' sh -c "$(splat kcsan race)"
options=(-b -t 30)
expect 6.12 timeout 124 'a script that hangs' sleep 1000
options=(-t 120)
expect 6.12 stuck 125 'a module that is still in use' sh -c 'sleep 1000 </dev/vhost-blk & sleep 0.1'
options=(-b -t 300)
expect 6.12 failed 5 'a guest in the box that fails' "$box" run -t 200 6.1 sh -c 'exit 5'
finish
