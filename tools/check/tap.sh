# shellcheck shell=bash
# TAP for test scripts.

tests=0 failures=0

# try NAME COMMAND...: one test, passed if COMMAND succeeds; what it prints
# explains. No errexit in COMMAND.
try() {
	local name=$1 not='' said
	shift
	tests=$((tests + 1))
	said=$("$@" 2>&1) || not='not ' failures=$((failures + 1))
	echo "${not}ok $tests - $name"
	[ -z "$said" ] || printf '%s\n' "$said" | sed 's/^/# /'
}

finish() {
	echo "1..$tests"
	[ $tests != 0 ] && [ $failures = 0 ]
	exit
}
