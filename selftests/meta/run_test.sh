#!/usr/bin/env bash
# Is run.sh to be believed? It gets programs that go wrong in every way, and must
# say of each what is wrong; it may pass only what is whole.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
run=$top/selftests/run.sh

# program NAME: standard input as a program that run.sh will run.
program() {
	{
		echo '#!/bin/sh'
		cat
	} >"$scratch/$1"
	chmod +x "$scratch/$1"
	echo "$1" >>"$scratch/run.list"
}

# expect NAME STATUS [PROGRAM...]: run.sh ends with STATUS (0, or 1 for any failure)
# and its results are the lines on standard input.
expect() {
	cat >"$scratch/expected"
	try "$1" agrees "${@:2}"
	rm -f "$scratch"/*
}

agrees() {
	local got=0
	"$run" "$scratch" "${@:2}" >"$scratch/said" 2>&1 || got=1
	echo "exit status $got"
	[ "$got" = "$1" ] && grep -v '^#' "$scratch/said" | diff "$scratch/expected" -
}

program fine <<'EOT'
echo 'TAP version 13'
echo 1..3
echo '# a remark'
echo 'ok 1 - one'
echo chatter
echo 'ok 2 two # SKIP no hardware'
echo 'ok 3'
EOT
program whole <<'EOT'
echo 1..1
printf 'ok 1 without a newline'
EOT
expect 'programs that pass' 0 <<'EOT'
TAP version 13
ok 1 fine: one
ok 2 fine: two # SKIP no hardware
ok 3 fine: 3
ok 4 fine: comes to its end
ok 5 whole: without a newline
ok 6 whole: comes to its end
1..6
EOT

program other <<'EOT'
echo 1..1
echo 'not ok 1 - it runs'
EOT
program chosen <<'EOT'
echo 1..1
echo 'ok 1 - it runs'
EOT
expect 'one program of several' 0 chosen <<'EOT'
TAP version 13
ok 1 chosen: it runs
ok 2 chosen: comes to its end
1..2
EOT

program fails <<'EOT'
echo 1..2
echo 'not ok 1 bad'
echo 'ok 2 good'
exit 1
EOT
expect 'a failure' 1 <<'EOT'
TAP version 13
not ok 1 fails: bad
ok 2 fails: good
ok 3 fails: comes to its end
1..3
EOT

program skips <<'EOT'
echo '1..0 # SKIP no device'
exit 4
EOT
expect 'a skip with a reason' 0 <<'EOT'
TAP version 13
ok 1 skips: # SKIP no device
1..1
EOT

program skips <<'EOT'
exit 4
EOT
expect 'a skip without a reason' 1 <<'EOT'
TAP version 13
not ok 1 skips: ends with status 4
1..1
EOT

program dies <<'EOT'
echo 1..2
echo 'ok 1 first'
kill -SEGV $$
EOT
expect 'a crash' 1 <<'EOT'
TAP version 13
ok 1 dies: first
not ok 2 dies: is killed by signal 11
1..2
EOT

program silent </dev/null
expect 'silence' 1 <<'EOT'
TAP version 13
not ok 1 silent: has no plan
1..1
EOT

program short <<'EOT'
echo 1..2
echo 'ok 1 first'
EOT
expect 'a plan that is not kept' 1 <<'EOT'
TAP version 13
ok 1 short: first
not ok 2 short: gives 1 of 2 results
1..2
EOT

program empty <<'EOT'
echo 1..0
EOT
expect 'an empty plan' 1 <<'EOT'
TAP version 13
not ok 1 empty: gives 0 of 0 results
1..1
EOT

program late <<'EOT'
echo 1..1
echo 'ok 1 first'
exit 3
EOT
expect 'a status that says more than the results' 1 <<'EOT'
TAP version 13
ok 1 late: first
not ok 2 late: ends with status 3
1..2
EOT

program denies <<'EOT'
echo 1..1
echo 'not ok 1 first'
EOT
expect 'a status that denies a failure' 1 <<'EOT'
TAP version 13
not ok 1 denies: first
not ok 2 denies: ends with status 0 in spite of failures
1..2
EOT

program bails <<'EOT'
echo 1..1
echo 'ok 1 first'
echo 'Bail out! no more'
EOT
expect 'a bail-out' 1 <<'EOT'
TAP version 13
ok 1 bails: first
not ok 2 bails: bails out
1..2
EOT

echo missing >"$scratch/run.list"
expect 'a program that is not there' 1 <<'EOT'
TAP version 13
not ok 1 missing: ends with status 127
1..1
EOT

expect 'nothing to run' 1 <<EOT
TAP version 13
not ok 1 no tests in $scratch: make them first
1..1
EOT
finish
