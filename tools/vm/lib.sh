# shellcheck shell=bash
# What the commands in this folder share: messages, the cache, steps that
# report progress and say in one line why they failed.

set -Eeuo pipefail
shopt -s inherit_errexit nullglob

prog=$(basename "$0")
vm=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
top=$(realpath "$vm/../..")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vhost-blk

say() { printf '%s: %s\n' "$prog" "$*" >&2; }
die() { say "$*"; exit 1; }

# need COMMAND...: every one of them is installed, or one line says what to do.
need() {
	local c
	for c; do
		command -v "$c" >/dev/null || die "'$c' is missing: run 'make tools'"
	done
}

# row NAME: the line of kernels.list for NAME, as words.
row() {
	awk -v name="$1" '$1 == name { print; found = 1 } END { exit !found }' \
		"$top/kernels.list" ||
		die "no kernel '$1' in kernels.list, which has: $(names '' | paste -sd' ')"
}

# names KIND: the names of that kind in kernels.list, of any with "".
names() {
	awk -v kind="$1" '/^[^#]/ && (kind == "" || $2 == kind) { print $1 }' \
		"$top/kernels.list"
}

# key [FILE...]: a short hash of their contents or of standard input, for the
# name of a cache entry.
key() { cat -- "$@" | sha256sum | cut -c1-12; }

# cause LOG: one line on why the step that wrote LOG failed.
cause() {
	if grep -q 'No space left on device' "$1" || full "$1"; then
		echo "the disk is full: free some space for $cache"
	elif grep -qE 'Could not (resolve|connect)|Temporary failure|Failed to fetch|Unable to connect' "$1"; then
		echo "the Debian mirror cannot be reached: check the network and apt's sources"
	else
		echo "$(tail -n1 "$1") (all of it in $1)"
	fi
}

full() { [ "$(df --output=avail -m "$1" | tail -n1)" -eq 0 ]; }

# What must not outlive the command: the process of a step, a half-made entry.
pid='' tmp=''
clean_up() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	[ -z "$tmp" ] || rm -rf "$tmp"
}
trap clean_up EXIT # of this shell; a subshell that needs it sets it anew
trap 'exit 130' INT TERM

# step LABEL COMMAND...: run COMMAND with its output in $log; show how long it
# takes and, where $steps says how many lines starting with blanks to expect,
# how far it is.
step() {
	local label=$1 started=$SECONDS status=0
	shift
	"$@" </dev/null >>"$log" 2>&1 &
	pid=$! ticked=$SECONDS
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		tick "$label" $((SECONDS - started))
	done
	wait "$pid" || status=$?
	pid=
	[ ! -t 2 ] || printf '\r\033[K' >&2
	[ $status = 0 ] || die "$label failed: $(cause "$log")"
	say "$label: $((SECONDS - started)) s"
}

ticked=0
tick() {
	local far='' every=60
	[ ! -t 2 ] || every=1
	[ $((SECONDS - ticked)) -ge $every ] || return 0
	ticked=$SECONDS
	[ "${steps:-0}" = 0 ] || far=", $(grep -c '^  ' "$log") of about $steps steps"
	if [ -t 2 ]; then
		printf '\r\033[K%s: %s ... %d s%s' "$prog" "$1" "$2" "$far" >&2
	else
		say "$1 ... $2 s$far"
	fi
}

# entry NAME MEGABYTES MAKER ARG...: print the path of cache entry NAME. If it
# is missing, MAKER makes it in an empty directory, $tmp, which takes its place
# in the cache, $final, in one rename: what is in the cache is whole.
entry() {
	local name=$1 space=$2 free depth
	shift 2
	final=$cache/$name log=$cache/$name.log tmp=
	trap clean_up EXIT
	if [ ! -e "$final" ]; then
		if ! mkdir -p "$cache" || ! touch "$cache/$name.lock" 2>/dev/null; then
			die "cannot write to $cache: check its owner, or set XDG_CACHE_HOME"
		fi
		exec {lock}>"$cache/$name.lock"
		flock "$lock"
	fi
	if [ ! -e "$final" ]; then
		free=$(df --output=avail -m "$cache" | tail -n1)
		[ "$free" -ge "$space" ] ||
			die "$name needs $space MB in $cache, which has $((free)) MB free"
		tmp=$final.partial
		rm -rf "$tmp"
		mkdir "$tmp"
		: >"$log"
		depth=$BASH_SUBSHELL
		# Of what fails in a step, step() says it.
		trap '[ $BASH_SUBSHELL != $depth ] || die "$name cannot be made: $(cause "$log")"' ERR
		"$@"
		mv "$tmp" "$final"
		tmp=
		trap - ERR
	fi
	echo "$final"
}
