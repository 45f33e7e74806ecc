#!/usr/bin/env bash
# The systemd units, in a box with a systemd of its own: does a connection to the
# socket start a bridge that serves the disk? Takes VHOST_BLK_KO, as the box does.

# shellcheck source=../../selftests/meta/lib.sh
. "$(dirname "$0")/../../selftests/meta/lib.sh"
out=${VHOST_BLK_KO%/vhost/*}
unit=vhost-blk-bridge@guest
socket=/run/vhost-blk/guest.sock

# As into a package, because depmod takes minutes where all is emulated.
install() {
	make -s --no-print-directory -C "$top" OUT="$out" KDIR="$KDIR" DESTDIR=/ install &&
		modprobe null_blk nr_devices=1 &&
		mkdir -p /etc/vhost-blk &&
		echo 'BLK_FILE=/dev/nullb0' >/etc/vhost-blk/guest.conf &&
		echo 'OPTIONS=--serial guest --num-queues 4' >>/etc/vhost-blk/guest.conf
}

# The first process of namespaces of its own, as in a container.
start_systemd() {
	mkdir -p /run/systemd
	env -i "PATH=$PATH" container=box unshare --pid --fork --mount --cgroup --mount-proc \
		sh -c 'mount -t cgroup2 cgroup /sys/fs/cgroup && exec /lib/systemd/systemd --system \
			--unit=basic.target' >"$scratch/systemd" 2>&1 &
	for _ in {1..60}; do
		find_systemd && inside systemctl is-system-running | grep -E 'running|degraded' && return
		sleep 1
	done
	cat "$scratch/systemd"
	return 1
}

find_systemd() { manager=$(pgrep -ox systemd); }
inside() { nsenter -t "$manager" --pid --mount --cgroup -- "$@"; }

is_for_kvm() { [ "$(inside stat -c '%U:%G %a' "$socket")" = 'root:kvm 660' ]; }

# A frontend that asks for the features, and then how the bridge is doing.
answers() {
	inside python3 - <<-END
		import socket, struct, subprocess
		frontend = socket.socket(socket.AF_UNIX)
		frontend.settimeout(60)
		frontend.connect('$socket')
		frontend.send(struct.pack('<III', 1, 1, 0))
		request, flags, size, features = struct.unpack('<IIIQ', frontend.recv(20))
		print(request, flags, size, hex(features))
		assert (request, flags, size) == (1, 5, 8) and features >> 32 & 1
		subprocess.run(['systemctl', 'is-active', '$unit.service'], check=True)
	END
}

has_disk() { tr '\0' ' ' <"/proc/$(pgrep -ox vhost-blk-bridg)/cmdline" | grep -- '--blk-file /dev/nullb0 --serial guest --num-queues 4'; }

stops() {
	inside systemctl stop "$unit.socket" "$unit.service" &&
		[ "$(inside systemctl show -P Result "$unit.service")" = success ] && ! pgrep -x vhost-blk-bridg
}

try 'install' install
try 'systemd finds nothing wrong with them' systemd-analyze verify --man=no $unit.service $unit.socket
try 'systemd runs' start_systemd
find_systemd
try 'the socket starts' inside systemctl start $unit.socket
try 'the socket belongs to root:kvm, 0660' is_for_kvm
try 'no bridge runs before a frontend connects' sh -c '! pgrep -x vhost-blk-bridg'
try 'a bridge answers a frontend' answers
try 'it serves the disk of the file, with its options' has_disk
try 'it stops' stops
kill -KILL "$manager"
finish
