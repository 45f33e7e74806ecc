#!/usr/bin/env bash
# The patches for QEMU: do they apply to Debian's source as they are, and does QEMU's
# own checkpatch like them?

# shellcheck source=../meta/lib.sh
. "$(dirname "$0")/../meta/lib.sh"

# What it asks of each header that comes from Linux: the script brings it.
asked='imported from Linux, are you using|does MAINTAINERS need updating'

checks() {
	(cd "$scratch/qemu/source" &&
		"$top/tools/vm/root" enter trixie-qemu perl scripts/checkpatch.pl -q "$1") >"$scratch/said"
	cat "$scratch/said"
	[[ $1 = *-linux-headers-* ]] || asked=nothing
	! grep -E '^(ERROR|WARNING)' "$scratch/said" | grep -vqE "$asked"
}

# It has a subject, a reason, and no change of white space that nobody wants.
described() {
	grep -q '^Subject: \[PATCH' "$1" && [ "$(sed -n '/^$/,/^---$/p' "$1" | wc -w)" -gt 40 ] &&
		! git -C "$scratch" apply --numstat --whitespace=error "$1" 2>&1 | grep -i whitespace
}

# A machine that only tests has no name for git.
export GIT_{AUTHOR,COMMITTER}_NAME=test GIT_{AUTHOR,COMMITTER}_EMAIL=test@example.org

try 'all apply, one after the other' "$top/tools/qemu/build" source "$scratch/qemu"
for patch in "$top"/tools/qemu/patches/000[1-9]-*.patch; do
	name=${patch##*/}
	try "checkpatch likes $name" checks "$patch"
	try "$name says what it is for" described "$patch"
done
finish
