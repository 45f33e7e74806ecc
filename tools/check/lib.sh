# shellcheck shell=bash
# What the checks share, on top of what tools/vm knows of kernels.

. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

# kernels KIND COLUMN: that column of the lines of kernels.list of that kind.
kernels() {
	awk -v kind="$1" -v column="$2" '/^[^#]/ && $2 == kind { print $column }' \
		"$top/kernels.list"
}

# The files of the checkout, those not yet added among them, from its top.
files() {
	git -c safe.directory='*' -C "$top" ls-files --cached --others --exclude-standard | sort |
		while read -r file; do [ ! -f "$top/$file" ] || echo "$file"; done
}

# alone FOLDER: make it, and wait until no other run is at work there.
alone() {
	mkdir -p "$1"
	exec {turn}>"$1/.lock"
	flock "$turn"
}
