# shellcheck shell=bash
# What the tests with guests share: disks, bridges, and small guests that do what
# they are told.

[ -z "${heard-}" ] || return 0	# some have it from two others

# shellcheck source=../meta/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../meta/lib.sh"

# within SECONDS COMMAND...: it succeeds, sooner or later.
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# How many seconds a guest has for what it is told to do. It starts its first fio in two, or in
# more than sixty where its host is emulated and has more to do.
patience=400

# make_disk NAME MEGABYTES [ATTRIBUTE=VALUE...]: a null_blk, which is on blk-mq,
# with its data in memory; its node in $disk.
make_disk() {
	local dir=/sys/kernel/config/nullb/$1 setting
	modprobe null_blk nr_devices=0
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	mkdir "$dir"
	for setting in memory_backed=1 discard=1 size="$2" "${@:3}" power=1; do
		echo "${setting#*=}" >"$dir/${setting%%=*}"
	done
	disk=/dev/nullb$(cat "$dir/index")
	[ -b "$disk" ] || disk=/dev/$1	# since Linux 6.2 it has the folder's name
	[ -b "$disk" ]
}

# --- bridges

# start_bridge SOCKET DISK [OPTION...]: its process in $bridge, what it says in
# SOCKET.log.
start_bridge() {
	: >"$1.log"
	vhost-blk-bridge --socket "$1" --blk-file "${@:2}" >>"$1.log" 2>&1 &
	# shellcheck disable=SC2034 # for those who read this file
	bridge=$!
	within 10 grep -q ': serves' "$1.log"
}

# ends PROCESS SECONDS: by itself in that time, else by force; its exit status.
ends() {
	within "$2" gone "$1" || kill -KILL "$1"
	wait "$1"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# ended LOG STATUS: with status 0, and what it said.
ended() {
	cat "$1"
	[ "$2" = 0 ]
}

kill_now() {
	kill -KILL "$1"
	wait "$1" 2>/dev/null
}

# Nobody has a device of the module open.
unused() { [ "$(cat /sys/module/vhost_blk/refcnt)" = 0 ]; }

# The module serves the disk of a guest: nobody else has the device open.
is_served() { ! unused; }

# queues_of PROCESS: what the module says of its devices' queues, a line each.
queues_of() { grep -h '^vhost-blk-queue:' "/proc/$1/fdinfo/"* 2>/dev/null; }

# --- guests that are boxes

# if_it_ran STATUS: of a guest that is a box. If its emulation failed, so did all of this.
if_it_ran() { [ "$1" != 75 ] || exit 75; }

# show_guest FILE: the results in what it said there are ours.
show_guest() {
	local line
	grep -E '^(not )?ok ' "$1" | sed -E 's/^(not )?ok [0-9]+ - /\1/' >"$scratch/results"
	while read -r line; do
		case $line in
		'not '*) try "guest: ${line#not }" false ;;
		*) try "guest: $line" true ;;
		esac
	done <"$scratch/results"
	sed 's/^/# /' "$1"
}

# --- small guests

heard=$scratch/heard answers=$scratch/answers told='' memory=384M
qemu=(qemu-system-x86_64)
accel=(-accel kvm -cpu "host,svm=off,vmx=off")
modprobe -q kvm_amd || modprobe -q kvm_intel || true
command_line='console=ttyS0 panic=-1 panic_on_warn=1 oops=panic loglevel=5'

# take_qemu RELEASE: small guests run in that of Debian RELEASE.
take_qemu() {
	local below root=/run/$1 above=/run/$1.above dir
	[ "$1" != trixie ] || return 0
	below=$("$top/tools/vm/root" make "$1")
	mkdir -p "$root" "$above"/{upper,work}
	mount -t overlay -o "lowerdir=$below,upperdir=$above/upper,workdir=$above/work" overlay "$root"
	for dir in /dev /sys /tmp "$(dirname "$below")"; do
		mkdir -p "$root$dir"
		mount --rbind "$dir" "$root$dir"
	done
	mount -t proc proc "$root/proc"
	qemu=(chroot "$root" qemu-system-x86_64)
}

# modules_of MODULE...: their files and those they need, in the order to load.
modules_of() {
	local module
	for module; do
		modprobe -d "$kernel" -S "$(cat "$kernel/release")" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# add_modules NAME MODULE...: to the initramfs, with a list of that name.
add_modules() {
	local file
	for file in $(modules_of "${@:2}"); do
		echo "${file##*/}" >>"$scratch/initramfs/modules/$1"
		cp "$file" "$scratch/initramfs/modules/"
	done
}

# make_guest KERNEL [MODULE...]: in $kernel and $initramfs, for QEMU to boot; it can
# load modules.
make_guest() {
	local module
	kernel=$("$top/tools/vm/kernel" get "$1")
	initramfs=$scratch/initramfs.cpio
	mkdir -p "$scratch/initramfs"/{bin,modules}
	cp /bin/busybox "$scratch/initramfs/bin/"
	cp "$top"/selftests/guest/{init,obey} "$scratch/initramfs/"
	add_modules at-boot virtio_pci virtio_mmio virtio_blk virtio_console erofs
	for module in "${@:2}"; do
		add_modules "$module" "$module"
	done
	(cd "$scratch/initramfs" && find . | busybox cpio -o -H newc 2>/dev/null) >"$initramfs"
	boot=(-kernel "$kernel/vmlinuz" -initrd "$initramfs" -append "$command_line")
	mkfifo "$scratch/told"
	exec {told}<>"$scratch/told"
}

# start_guest [ARGUMENT...]: QEMU with these arguments, too; its process in $guest.
# $machine and $bus, if they are set, say what it is.
start_guest() {
	: >"$heard"
	"${qemu[@]}" -nodefaults -display none "${accel[@]}" \
		-M "${machine:-q35},memory-backend=memory" -m "$memory" \
		-object memory-backend-memfd,id=memory,size="$memory",share=on \
		"${boot[@]}" \
		-chardev "file,id=console,path=$scratch/console,append=on" -serial chardev:console \
		-qmp "unix:$scratch/qmp,server=on,wait=off" \
		-drive if=none,id=root,format=raw,readonly=on,file=/dev/vda \
		-device "virtio-blk-${bus:-pci},drive=root,serial=root" \
		-chardev stdio,id=talk,signal=off -device "virtio-serial-${bus:-pci}" \
		-device virtconsole,chardev=talk "$@" <&"$told" >>"$heard" 2>&1 &
	guest=$!
}

is_up() {
	within "$patience" boots_or_leaves
	grep -q 'the guest is up' "$heard" && return
	tail -n 20 "$heard" "$scratch/console"
	return 1
}

boots_or_leaves() { grep -q 'the guest is up' "$heard" || gone "$guest"; }

# in_guest COMMAND...: what it prints, and its exit status.
in_guest() {
	local id=$EPOCHREALTIME
	echo "$id $*" >&"$told"
	within "$patience" has_done_or_left "$id"
	grep -q "^=$id " "$heard" || { tail "$heard"; return 1; }
	sed -n "/^>$id/,/^=$id/p" "$heard" | sed '1d;$d'
	return "$(sed -n "s/^=$id //p" "$heard")"
}

has_done_or_left() { grep -q "^=$1 " "$heard" || gone "$guest"; }

# The last words to a guest, which has no time for an answer.
tell() { echo "$EPOCHREALTIME sync; umount -a -t ext4,xfs; echo $1 >/proc/sysrq-trigger" >&"$told"; }

# again COMMAND...: does it, and the guest boots.
again() {
	: >"$heard"
	"$@" && is_up
}

# No kernel of a small guest complained.
quiet() {
	! grep -aE -f <(sed -nE 's/^[a-z]+ +//p' "$top/tools/vm/splats") "$scratch/console"
}

# qmp COMMAND [ARGUMENTS]: QEMU does it; ARGUMENTS are JSON.
qmp() {
	: >"$answers"
	{
		echo '{"execute": "qmp_capabilities"}'
		echo "{\"execute\": \"$1\", \"arguments\": ${2:-{\}}}"
		within 30 answered
	} | socat - "UNIX-CONNECT:$scratch/qmp" >"$answers"
	grep -E '^\{"(return|error)"' "$answers" | tail -n +2
	! grep -q '^{"error"' "$answers"
}

is_running() { qmp query-status | grep '"running": true'; }

answered() { [ "$(grep -cE '^\{"(return|error)"' "$answers")" = 2 ]; }
