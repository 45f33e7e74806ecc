#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run all the tests and make one flat TAP stream of what they print.
#
#   run.sh [DIR [PROGRAM...]]
#
# The tests are those of run.list in DIR, where make put them (the folder of
# this script), or only those that are named. Every result is renumbered and named
# after its program. A program adds a result of its own: it came to its end, gave
# all results it planned, and its exit status agrees. Only if all is well is the
# exit status 0.

here=$(dirname "$(realpath "$0")")
dir=$(realpath "${1:-$here}")
count=0 failures=0

# result STATUS TEXT: one line of the stream.
result() {
	local not=
	count=$((count + 1))
	[ "$1" = 0 ] || not='not ' failures=$((failures + 1))
	echo "${not}ok $count $2"
}

# Take the output of program $name line by line.
translate() {
	local line
	planned='' seen=0 failed=0 skipped='' bailed=''
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'TAP version '* | 'KTAP version '* | '') ;;
		'1..0 # SKIP'*) planned=0 skipped=${line#1..0 } ;;
		1..[0-9]*) planned=${line#1..} planned=${planned%%[!0-9]*} ;;
		'ok '*) inner 0 "${line#ok }" ;;
		'not ok '*) inner 1 "${line#not ok }" ;;
		'Bail out!'*) bailed=1 && echo "# $name: $line" ;;
		'#'*) echo "$line" ;;
		*) echo "# $line" ;;
		esac
	done
}

# inner STATUS TEXT: a result that program $name gave, with its number in front.
inner() {
	local text=$2
	[[ $text =~ ^[0-9]*\ *(-\ )?(.*) ]] && text=${BASH_REMATCH[2]}
	seen=$((seen + 1))
	[ "$1" = 0 ] || failed=$((failed + 1))
	result "$1" "$name: ${text:-$seen}"
}

# verdict STATUS: the result of program $name as a whole.
verdict() {
	if [ "$1" = 4 ] && [ "$planned" = 0 ] && [ $seen = 0 ]; then
		result 0 "$name: $skipped"
	elif [ "$1" -gt 128 ]; then
		result 1 "$name: is killed by signal $(($1 - 128))"
	elif [ "$1" != 0 ] && [ $failed = 0 ]; then
		result 1 "$name: ends with status $1"
	elif [ -n "$bailed" ]; then
		result 1 "$name: bails out"
	elif [ -z "$planned" ]; then
		result 1 "$name: has no plan"
	elif [ "$planned" != $seen ] || [ $seen = 0 ]; then
		result 1 "$name: gives $seen of $planned results"
	elif [ "$1" = 0 ] && [ $failed != 0 ]; then
		result 1 "$name: ends with status 0 in spite of failures"
	else
		result 0 "$name: comes to its end"
	fi
}

run() {
	local file=$dir/$1
	name=$1
	[ -e "$file" ] || file=$here/$1
	exec {output}< <(exec "$file" 2>&1 </dev/null)
	pid=$!
	translate <&"$output"
	exec {output}<&-
	wait $pid
	verdict $?
}

echo 'TAP version 13'
[ -s "$dir/run.list" ] || result 1 "no tests in $dir: make them first"
while read -r program; do
	run "$program"
done < <(if [ $# -gt 1 ]; then printf '%s\n' "${@:2}"; else cat "$dir/run.list" 2>/dev/null; fi)
echo "1..$count"
[ $failures = 0 ]
