#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Does vhost-blk-ctl answer, and does it say what to do when it cannot?
#
#   ctl_test.sh PROGRAM

ctl=$1
device=/dev/vhost-blk
count=0
failures=0

result() {
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count $2"
	else
		failures=$((failures + 1))
		echo "not ok $count $2"
	fi
}

# expect NAME STATUS PATTERN COMMAND...: it exits with STATUS, a line matches.
expect() {
	name=$1 status=$2 pattern=$3
	shift 3
	said=$("$@" 2>&1)
	[ $? = "$status" ] && echo "$said" | grep -qE "$pattern"
	result $? "$name"
	echo "$said" | sed 's/^/# /'
}

nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

skip() {
	count=$((count + 1))
	echo "ok $count $1 # SKIP $2"
}

echo 'TAP version 13'
expect 'help' 0 '^  features' "$ctl" --help
expect 'no command' 2 'command is missing' "$ctl"
expect 'a command that is not there' 2 'no such command' "$ctl" frobnicate
expect 'an option that is not there' 2 'help' "$ctl" --frobnicate
expect 'too many arguments' 2 'takes one device' "$ctl" features 1 2
expect 'a device of something else' 1 'such as /dev/vhost-blk$' "$ctl" features /dev/null
expect 'no node' 1 'load the module: modprobe vhost-blk$' "$ctl" features /dev/no-such-node
if [ "$(id -u)" = 0 ]; then
	file=$(mktemp)
	expect 'no right' 1 'join group kvm' nobody "$ctl" features "$file"
	rm "$file"
else
	skip 'no right' 'only root can drop rights'
fi
if [ -w $device ]; then
	expect 'features' 0 '^  32  VIRTIO_F_VERSION_1$' "$ctl" features
	expect 'features of a device' 0 '^backend features: 0x0000000000000000$' "$ctl" features $device
else
	skip 'features' "no $device"
	skip 'features of a device' "no $device"
fi
echo "1..$count"
[ $failures = 0 ]
