#!/usr/bin/env bash
# Does a set-up that cannot succeed end in one clear line, and leave nothing
# half-built behind?

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
kernel=$top/tools/vm/kernel

# expect NAME PATTERN COMMAND...: it fails, its last line matches, the cache
# holds no entry but whole ones (there are none).
expect() {
	local name=$1 pattern=$2 status=0 entries
	shift 2
	XDG_CACHE_HOME=$scratch/cache timeout 120 bash -c '"$@"' test "$@" >"$scratch/said" 2>&1 || status=$?
	entries=$(find "$scratch/cache/vhost-blk" -mindepth 1 -maxdepth 1 -type d \
		! -name '*.partial' 2>/dev/null)
	[ $status != 0 ] && [ $status != 124 ] && [ -z "$entries" ] &&
		tail -n1 "$scratch/said" | grep -qE "$pattern"
	ok $? "$name"
	echo "exit status $status, ${entries:-nothing} left, said: $(tail -n1 "$scratch/said")" | explain
	rm -rf "$scratch/cache"
}

# A disk of 8 MB for the cache, and an entry that does not fit.
full_disk() {
	# shellcheck disable=SC2016
	unshare -m bash -c '
		mkdir -p "$XDG_CACHE_HOME" && mount -t tmpfs -o size=8M tmpfs "$XDG_CACHE_HOME"
		. "$1/tools/vm/lib.sh"
		fill() { step "a large file" dd if=/dev/zero of="$tmp/large" bs=1M count=16; }
		entry large 1 fill' test "$top"
}

small_disk() {
	# shellcheck disable=SC2016
	unshare -m bash -c '
		mkdir -p "$XDG_CACHE_HOME" && mount -t tmpfs -o size=8M tmpfs "$XDG_CACHE_HOME"
		"$1/tools/vm/kernel" get 6.1' test "$top"
}

# The maker of an entry is killed in the middle; the next one starts afresh.
killed() {
	bash -c '
		. "$1/tools/vm/lib.sh"
		half() { touch "$tmp/half"; kill -9 $$; }
		entry thing 1 half' test "$top"
	bash -c '
		. "$1/tools/vm/lib.sh"
		whole() { [ ! -e "$tmp/half" ] && touch "$tmp/whole"; }
		ls "$(entry thing 1 whole)"
		rm -r "$(entry thing 1 whole)"
		die "thing was made whole"' test "$top"
}

without() {
	local missing=$1 dir=$scratch/bin command
	shift
	mkdir -p "$dir"
	for command in bash dirname basename realpath awk cat sha256sum cut paste flock df tail head mkdir rm mv grep sed; do
		ln -sf "$(command -v "$command")" "$dir/"
	done
	rm -f "$dir/$missing"
	env PATH="$dir" "$@"
}

export top scratch
export -f full_disk small_disk killed without
expect 'no network' 'mirror cannot be reached' unshare -n "$kernel" get 6.1
expect 'a mirror that does not answer' 'mirror cannot be reached' \
	env http_proxy=http://127.0.0.1:9 "$kernel" get 6.1
expect 'a disk that fills up' 'the disk is full: free some space' full_disk
expect 'a disk that is too small' 'needs [0-9]+ MB in .*which has [0-9]+ MB free' small_disk
expect 'a maker that is killed' 'thing was made whole' killed
expect 'a package that is missing' "'mmdebstrap' is missing: run 'make tools'" \
	without mmdebstrap "$kernel" get 6.1
expect 'a cache that is not ours' 'cannot write to .*: check its owner' \
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$kernel" get 6.1
expect 'tools without the right to install' 'as root' \
	setpriv --reuid=nobody --regid=nogroup --clear-groups make -s -C "$top" tools HOST_PACKAGES=no-such-package
expect 'a kernel that is not listed' "no kernel '2.6' in kernels.list, which has: 6.1" "$kernel" get 2.6
finish
