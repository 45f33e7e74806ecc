#!/usr/bin/env bash
# Does a set-up that cannot succeed end in one clear line, and leave nothing
# half-built behind?

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
kernel=$top/tools/vm/kernel

# expect NAME PATTERN COMMAND...
expect() { try "$1" ends_in "${@:2}"; }

# ends_in PATTERN COMMAND...: COMMAND fails, its last line matches, and the cache
# holds no entry but whole ones (there are none).
ends_in() {
	local pattern=$1 status=0 entries
	shift
	rm -rf "$scratch/cache"
	XDG_CACHE_HOME=$scratch/cache timeout 120 bash -c '"$@"' test "$@" >"$scratch/said" 2>&1 || status=$?
	entries=$(find "$scratch/cache/vhost-blk" -mindepth 1 -maxdepth 1 -type d \
		! -name '*.partial' 2>/dev/null)
	echo "exit status $status, ${entries:-nothing} left, said: $(tail -n1 "$scratch/said")"
	[ "$status" != 0 ] && [ "$status" != 124 ] && [ -z "$entries" ] &&
		tail -n1 "$scratch/said" | grep -qE "$pattern"
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

# A step that is a function of ours, as most are.
failing_step() {
	# shellcheck disable=SC2016
	bash -c '
		. "$1/tools/vm/lib.sh"
		part() { echo "last words" && false; }
		parts() { step "a part" part; }
		entry thing 1 parts' test "$top"
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
	for command in apt-get bash dirname basename realpath awk cat sha256sum cut paste flock df tail head mkdir rm mv grep sed touch; do
		ln -sf "$(command -v "$command")" "$dir/"
	done
	rm -f "$dir/$missing"
	env PATH="$dir" "$@"
}

# nobody COMMAND...: a command of tools/vm, run by who has no rights.
nobody() {
	mkdir -p "$scratch/top"
	cp -r "$top"/{tools,kernels.list} "$scratch/top/"
	chmod -R a+rX "$scratch"
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$scratch/top/tools/vm/$1" "${@:2}"
}

# A machine where no package of ours is installed, seen by who cannot install.
bare_machine() {
	mkdir -p "$scratch/bare"
	printf '#!/bin/sh\nexit 1\n' >"$scratch/bare/dpkg-query"
	chmod a+x "$scratch/bare/dpkg-query"
	PATH=$scratch/bare:$PATH nobody tools
}

# Debian has published an image, but not its headers yet.
half_published() {
	mkdir -p "$scratch/half"
	cp -r "$top"/{tools,kernels.list} "$scratch/half/"
	cat >"$scratch/half/tools/vm/root" <<-'END'
		#!/bin/sh
		case "$*" in
		*search*linux-image*) printf 'linux-image-6.1.0-%d-amd64 - Linux\n' 9 10 11 ;;
		*search*linux-headers*) printf 'linux-headers-6.1.0-%d-amd64 - headers\n' 9 10 ;;
		*install*) echo "asked for $*" && exit 1 ;;
		esac
	END
	"$scratch/half/tools/vm/kernel" get 6.1
}

export top scratch
export -f full_disk small_disk failing_step killed without nobody bare_machine half_published
expect 'no network' 'mirror cannot be reached' unshare -n "$kernel" get 6.1
expect 'a mirror that does not answer' 'mirror cannot be reached' \
	env http_proxy=http://127.0.0.1:9 "$kernel" get 6.1
expect 'a disk that fills up' 'the disk is full: free some space' full_disk
expect 'a disk that is too small' 'needs [0-9]+ MB in .*which has [0-9]+ MB free' small_disk
expect 'a step that fails: its last words, once' \
	'^[a-z]+: a part failed: last words \(all of it in [^()]*\)$' failing_step
expect 'a maker that is killed' 'thing was made whole' killed
expect 'a package that is missing' "'mmdebstrap' is missing: run 'make tools'" \
	without mmdebstrap "$kernel" get 6.1
expect 'a cache that is not ours' 'cannot write to .*: check its owner' nobody kernel get 6.1
expect 'tools without the right to install' "run 'make tools' as root" bare_machine
expect 'a kernel without headers: the one before' \
	'asked for .* linux-image-6.1.0-10-amd64 linux-headers-6.1.0-10-amd64 ' half_published
expect 'a kernel that is not listed' "no kernel '2.6' in kernels.list, which has: 6.1" "$kernel" get 2.6
finish
