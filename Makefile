# SPDX-License-Identifier: GPL-2.0-only
# Everything there is to make. What is built is written to OUT only, so builds
# for several kernels live side by side. What kbuild knows works here too: W=1,
# C=2, V=1.

KDIR ?= /lib/modules/$(shell uname -r)/build
OUT ?= build/$(shell uname -r)
KERNEL ?= 6.12
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g

out := $(abspath $(OUT))
ko := $(out)/vhost/vhost-blk.ko
vm := tools/vm

.PHONY: all
all: module ctl bridge

.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## On this machine, for its kernel (KDIR=TREE for another, OUT=DIR for the results):
##   make              the module, vhost-blk-ctl, vhost-blk-bridge
##   make install      all of these, header, udev rule, units (DESTDIR=, PREFIX=)
##   make uninstall    remove them again
##   make clean        remove OUT; make distclean removes build altogether

headers := linux-headers-$(or $(patsubst /lib/modules/%/build,%,\
	$(filter /lib/modules/%/build,$(KDIR))),$(shell uname -r))

# For kbuild the module is in OUT: its Kbuild there leads to the sources.
.PHONY: module
module: | $(out)/vhost $(out)/vringh
	@test -d $(KDIR)/include || { \
		echo 'no kernel to build for in KDIR=$(KDIR): install the Debian package $(headers), or set KDIR' >&2; \
		exit 1; }
	@printf '%s\n' 'src := $(CURDIR)/vhost' 'include $$(src)/Kbuild' >$(out)/vhost/Kbuild
	@+$(MAKE) --no-print-directory -C $(KDIR) M=$(out)/vhost modules

# What all programs are built with.
compile = $(CC) $(CPPFLAGS) $(CFLAGS) -Wall -Wextra -Iuapi $(LDFLAGS)

.PHONY: ctl
ctl: $(out)/vhost-blk-ctl

$(out)/vhost-blk-ctl: tools/ctl/vhost-blk-ctl.c uapi/linux/vhost_blk.h | $(out)
	$(compile) -o $@ $<

.PHONY: bridge
bridge: $(out)/vhost-blk-bridge

bridge_sources := $(addprefix tools/bridge/,main.c server.c session.c message.c memory.c \
	device.c kernel.c events.c sandbox.c log.c)

$(out)/vhost-blk-bridge: $(bridge_sources) $(wildcard tools/bridge/*.h) tools/macros.h uapi/linux/vhost_blk.h | $(out)
	$(compile) -std=gnu11 -D_GNU_SOURCE -o $@ $(bridge_sources)

# What keeps disks busy, and a plugin of QEMU that counts, for tools/bench; they are not
# installed.
.PHONY: load
load: $(out)/vhost-blk-load $(out)/count.so

load_sources := $(addprefix tools/bench/,load.c latency.c ring.c vhost.c vhost_user.c uring.c aio.c)

$(out)/vhost-blk-load: $(load_sources) $(wildcard tools/bench/*.h) tools/macros.h uapi/linux/vhost_blk.h | $(out)
	$(compile) -std=gnu11 -D_GNU_SOURCE -o $@ $(load_sources) -luring -laio -lpthread

$(out)/count.so: tools/bench/count.c tools/bench/mark.h tools/bench/plugin.h | $(out)
	$(compile) -std=gnu11 -Wno-unused-parameter -fPIC -fvisibility=hidden -shared -o $@ $<

# The module that goes wrong on purpose, for the tests of the box.
.PHONY: splat
splat: | $(out)/splat
	@cp -u selftests/meta/splat.c $(out)/splat/
	@echo 'obj-m := splat.o' >$(out)/splat/Kbuild
	@+$(MAKE) --no-print-directory -C $(KDIR) M=$(out)/splat modules

.PHONY: selftests
selftests: | $(out)/selftests
	@+$(MAKE) --no-print-directory -C selftests OUTPUT=$(out)/selftests
	@+$(MAKE) --no-print-directory -C selftests/bridge OUTPUT=$(out)/selftests/bridge

build $(out) $(out)/vhost $(out)/vringh $(out)/selftests $(out)/splat:
	@mkdir -p $@

release = $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
installed = $(addprefix $(DESTDIR),\
	/lib/modules/$(release)/updates/vhost-blk.ko \
	$(PREFIX)/include/linux/vhost_blk.h \
	$(PREFIX)/bin/vhost-blk-ctl \
	/usr/lib/udev/rules.d/60-vhost-blk.rules \
	$(PREFIX)/bin/vhost-blk-bridge \
	$(PREFIX)/share/man/man8/vhost-blk-bridge.8 \
	/usr/lib/systemd/system/vhost-blk-bridge@.service \
	/usr/lib/systemd/system/vhost-blk-bridge@.socket \
	/usr/share/qemu/vhost-user/50-vhost-blk-bridge.json)

.PHONY: install
install:
	@test -f $(ko) -a -f $(out)/vhost-blk-ctl -a -f $(out)/vhost-blk-bridge || { \
		echo "install: nothing is built in $(out): run 'make' first" >&2; exit 1; }
	@test -n '$(release)' || { \
		echo 'install: no kernel in KDIR=$(KDIR): set KDIR as for make' >&2; exit 1; }
	install -D -m 644 $(ko) $(word 1,$(installed))
	install -D -m 644 uapi/linux/vhost_blk.h $(word 2,$(installed))
	install -D -m 755 $(out)/vhost-blk-ctl $(word 3,$(installed))
	install -D -m 644 tools/packaging/60-vhost-blk.rules $(word 4,$(installed))
	install -D -m 755 $(out)/vhost-blk-bridge $(word 5,$(installed))
	install -D -m 644 tools/bridge/vhost-blk-bridge.8 $(word 6,$(installed))
	install -D -m 644 tools/packaging/vhost-blk-bridge@.service $(word 7,$(installed))
	install -D -m 644 tools/packaging/vhost-blk-bridge@.socket $(word 8,$(installed))
	install -D -m 644 tools/packaging/50-vhost-blk-bridge.json $(word 9,$(installed))
	sed -i 's,@bindir@,$(PREFIX)/bin,' $(word 9,$(installed))
	$(registered)

.PHONY: uninstall
uninstall:
	rm -f $(installed)
	$(registered)

# A package does that when it is installed itself.
registered = $(if $(DESTDIR),,depmod $(release) && { ! udevadm control --reload 2>/dev/null || udevadm trigger --subsystem-match=misc; })

.PHONY: clean
clean:
	rm -rf $(out)

.PHONY: distclean
distclean:
	rm -rf build

##
## Anywhere, in Debian roots and boxes of its own (see tools/vm/README.md):
##   make tools        install what the machine needs for the rest (as root)
##   make cache        fetch and build all roots and kernels beforehand
##   make demo         the module at work in a box (ON=host: on this machine)
##   make vm           a shell in a box (KERNEL=6.12, or any of kernels.list)
##   make matrix       the module for every kernel of kernels.list
##   make build-6.12   all that a box needs for one kernel
##   make qemu         QEMU with vhost=on, in build/qemu (see tools/qemu)

.PHONY: tools
tools:
	@$(vm)/tools

kernels = $(if $(filter command line,$(origin KERNEL)),$(KERNEL),\
	$(shell awk '/^[^#]/ { print $$1 }' kernels.list))

.PHONY: cache
cache: tools
	@$(vm)/root image trixie >/dev/null
	@$(vm)/root make trixie-backports >/dev/null
	@$(vm)/root make sid >/dev/null
	@for kernel in $(kernels); do $(vm)/kernel get $$kernel >/dev/null || exit; done

# What boots in a box, which cannot fetch it.
.PHONY: guest-kernel guest-kernels
guest-kernel: tools
	@$(vm)/kernel get 6.12 >/dev/null
guest-kernels: tools
	@for kernel in $$(awk '$$2 == "debian" { print $$1 }' kernels.list); do \
		$(vm)/kernel get $$kernel >/dev/null || exit; done

.PHONY: demo
ifeq ($(ON),host)
demo: all tools
	@VHOST_BLK_KO=$(ko) tools/demo/run
else
demo: guest-kernel
	@$(vm)/box run -g -r -t 900 $(KERNEL) tools/demo/run
endif

.PHONY: vm
vm: tools
	@$(vm)/box shell $(KERNEL)

.PHONY: matrix
matrix: tools
	@tools/check/matrix

# A box has the same root for each kernel, and so the same programs.
.PHONY: programs
programs: | build
	@source=$$($(vm)/kernel source 6.12) && flock build/programs.lock \
	$(vm)/root enter trixie $(MAKE) --no-print-directory OUT=$(CURDIR)/build/programs \
		KSELFTEST=$$source/tools/testing/selftests ctl bridge selftests

build-%: programs
	@kernel=$$($(vm)/kernel get $*) && \
	flock build/$*.lock $(vm)/root enter $$($(vm)/kernel release $*) $(MAKE) --no-print-directory \
		KDIR=$$kernel/build OUT=$(CURDIR)/build/$* module splat && \
	ln -sfnt build/$* ../programs/selftests ../programs/vhost-blk-ctl ../programs/vhost-blk-bridge

.PHONY: qemu
qemu: tools | build
	@dir=$$(tools/qemu/build) && ln -sfn "$$dir" build/qemu && echo "build/qemu/qemu-system-x86_64"

##
## Tests:
##   make check        all of them, one line of figures at the end
##   make lint         the checks of the sources (GATE=NAME for one of them)
##   make test-guest   stock guests on it, by the bridge
##   make check-qemu   QEMU with vhost=on (not in make check)
##   make soak         such a guest, at work while one after another is killed
##                     (MINUTES=60; SEED=NUMBER to repeat)
##   make test-ring    the ring in user space: tests, fuzzers, proofs, figures
##   make bench        all of these, beside io_uring, libaio, QEMU and vhost-scsi:
##   make bench-insn   instructions of the host per request, and where they are
##   make bench-ring   times, in turns
##   make bench-guest  fio in a guest, in turns (ROUNDS=5; CELLS=all, or some of that: 4k-randread)
##   make fuzz         its fuzzers for as long as it takes (EXECUTIONS=1000000000)
##   make fuzz-bridge  the bridge's, with connections of hostile VMMs (CONNECTIONS=10000000)
##   make test-module  the self tests in boxes of all kernels (KERNEL=NAME for one);
##                     with kasan among them, how much of the module they run

.PHONY: check
check: cache
	@tools/check/tap tools/check/suites selftests/guest/suites vringh/suites

.PHONY: lint
lint: tools
	@tools/check/lint $(GATE)

.PHONY: test-module
test-module: tools
	@tools/check/tap $(foreach k,$(kernels),'$k=$(if $(filter kasan,$k),tools/check/coverage,\
		tools/vm/box run -t 1800 $k selftests/run.sh build/$k/selftests)'); status=$$?; \
		$(if $(filter kasan,$(kernels)),sed -n 's/^# v.*%/&/p' build/check/kasan.tap;) exit $$status

.PHONY: test-ring
test-ring: tools
	@$(vm)/root make trixie >/dev/null && $(vm)/root make sid >/dev/null
	@tools/check/tap vringh/suites; status=$$?; \
		sed -n 's/^\(# *\)*\([a-z_]*: .*[0-9].*\)/\2/p' build/check/ring-*.tap; exit $$status

# Each suite has a box for itself, which may take both CPUs.
.PHONY: test-guest
test-guest: guest-kernels
	@tools/check/tap -j1 selftests/guest/suites

.PHONY: check-qemu
check-qemu: guest-kernels qemu
	@tools/check/tap -j1 selftests/qemu/suites

.PHONY: bench bench-insn bench-ring bench-guest
bench: bench-insn bench-ring bench-guest
bench-insn bench-ring: bench-%: tools
	@tools/bench/compare $* $(KERNEL)
bench-guest: guest-kernel
	@tools/bench/guest "$(or $(CELLS),some paced)" $(KERNEL)

MINUTES ?= 60
.PHONY: soak
soak: guest-kernel
	@$(vm)/box run -g -o build/box/soak -t $$(($(MINUTES) * 60 + 900)) $(KERNEL) \
		selftests/guest/soak.sh $(MINUTES) $(SEED)

EXECUTIONS ?= 1000000000
.PHONY: fuzz
fuzz: tools
	@for program in fuzz_pop fuzz_ops; do \
		vringh/user/campaign $$program $(EXECUTIONS) || exit; done

CONNECTIONS ?= 10000000
.PHONY: fuzz-bridge
fuzz-bridge: tools
	@tools/bridge/campaign $(CONNECTIONS)
