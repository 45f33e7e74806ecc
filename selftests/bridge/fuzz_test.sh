#!/usr/bin/env bash
# Hostile frontends against the bridge, in user space with sanitizers, for so long.
#
#   fuzz_test.sh SECONDS

# shellcheck source=../meta/lib.sh
. "$(dirname "$0")/../meta/lib.sh"
seconds=${1:?usage: fuzz_test.sh SECONDS}

try "the bridge stands hostile frontends for $seconds s" \
	"$top/tools/bridge/campaign" 1000000000 "$seconds"
finish
