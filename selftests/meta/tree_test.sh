#!/usr/bin/env bash
# Do the self tests work as a folder of a kernel's tree, does the tree install all of
# them, and do some of these pass?

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
source=$("$top/tools/vm/kernel" source 6.12)
tree=$scratch/linux selftests=$scratch/linux/tools/testing/selftests
installed=$top/build/tree

# A tree of links to the kernel's, with our folder and header in their places.
plant() {
	mkdir -p "$tree/arch"
	cp -as "$source"/{Kbuild,Makefile,include,scripts,tools,usr} "$tree/"
	cp -as "$source/arch/x86" "$tree/arch/"
	cp -r "$top/selftests" "$selftests/vhost_blk"
	mkdir -p "$selftests/vringh/user"
	cp "$top"/vringh/user/driver.[ch] "$selftests/vringh/user/"
	cp "$top/uapi/linux/vhost_blk.h" "$tree/include/uapi/linux/"
}

installs() {
	make -C "$selftests" TARGETS=vhost_blk INSTALL_PATH="$installed" install >"$scratch/said" 2>&1
	local status=$?
	cat "$scratch/said"
	[ "$status" = 0 ] && ! grep -qi warning "$scratch/said"
}

make() { "$top/tools/vm/root" enter trixie make -s -j"$(nproc)" "$@"; }

# Every program of the folder is in the list of what is there to run.
lists_all() {
	local name missing=0
	for name in "$top"/selftests/*_test.c; do
		name=$(basename "$name" .c)
		grep -qx "vhost_blk:$name" "$installed/kselftest-list.txt" ||
			{ echo "$name is missing"; missing=1; }
	done
	return "$missing"
}

# One that loads the module, one without a guest, one with.
passes() {
	"$top/tools/vm/box" run -o "$top/build/box/tree" 6.12 "$installed/run_kselftest.sh" \
		-t vhost_blk:load_test -t vhost_blk:uapi_test -t vhost_blk:io_test &&
		[ "$(grep -c '^ok .*vhost_blk: [a-z]*_test$' "$top/build/box/tree/output")" = 3 ]
}

rm -rf "$installed"
try 'the folder goes into a kernel tree' plant
try 'the kernel takes our header' make -C "$tree" headers
try 'the kernel builds and installs the tests without a warning' installs
try 'all tests are installed' lists_all
try 'those that were installed pass' passes
finish
