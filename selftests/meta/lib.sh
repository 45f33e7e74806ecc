# shellcheck shell=bash
# TAP for the tests of the harness.

set -u
# shellcheck disable=SC2034 # for those who read this file
top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
count=0 failures=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# ok STATUS NAME: one test, passed if STATUS is 0.
ok() {
	local not=
	count=$((count + 1))
	[ "$1" = 0 ] || not='not ' failures=$((failures + 1))
	echo "${not}ok $count - $2"
}

# explain: standard input as diagnostics.
explain() { sed 's/^/# /'; }

finish() {
	echo "1..$count"
	[ $failures = 0 ]
	exit
}
