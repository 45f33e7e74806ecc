# shellcheck shell=bash
# What the checks share: TAP, on top of what tools/vm knows of kernels.

. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

tests=0 failures=0

# kernels KIND COLUMN: that column of the lines of kernels.list of that kind.
kernels() {
	awk -v kind="$1" -v column="$2" '/^[^#]/ && $2 == kind { print $column }' \
		"$top/kernels.list"
}

# The files of the checkout, those not yet added among them, from its top.
files() {
	git -c safe.directory='*' -C "$top" ls-files --cached --others --exclude-standard |
		while read -r file; do [ ! -f "$top/$file" ] || echo "$file"; done
}

# alone FOLDER: make it, and wait until no other run is at work there.
alone() {
	mkdir -p "$1"
	exec {turn}>"$1/.lock"
	flock "$turn"
}

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
