# shellcheck shell=bash
# What the tests of the harness share.

set -u
# shellcheck source=../../tools/check/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/check/tap.sh"
# shellcheck disable=SC2034 # for those who read this file
top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
