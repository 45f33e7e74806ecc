# shellcheck shell=bash
# What tests of a guest's life share: a guest with one disk of the bridge, which is in
# use when something befalls one of them.

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
socket=$scratch/socket
disk_of_guest="\$(disk life)"	# for the guest to find

start_life() { start_bridge "$socket" "$disk" --serial life; }

start_patient() {
	start_guest -chardev "socket,id=disk,path=$socket,reconnect-ms=500" \
		-device vhost-user-blk-pci,chardev=disk
}

# make_file_system KIND OPTION...
make_file_system() {
	in_guest "load $1; mkfs.$* $disk_of_guest && mount -o discard $disk_of_guest /mnt"
}

# Whoever comes next begins with what the last one left.
take_disk() {
	in_guest "load ext4; mount $disk_of_guest /mnt && umount /mnt && fsck.ext4 -fn $disk_of_guest" &&
		in_guest "mount -o discard $disk_of_guest /mnt"
}

# One more file, which is safe as soon as this is done.
keep() {
	local name=kept$EPOCHREALTIME
	in_guest "dd if=/dev/urandom of=/mnt/$name bs=64k count=48 conv=fsync status=none" &&
		in_guest "cd /mnt && sha256sum $name; cd /" >>"$scratch/kept"
}

forget() {
	in_guest 'rm -f /mnt/kept*'
	: >"$scratch/kept"
}

is_kept() {
	in_guest "echo 3 >/proc/sys/vm/drop_caches; cd /mnt && tr ';' '\n' <<<'$(paste -sd';' "$scratch/kept")' | sha256sum -c; cd /"
}

written() { awk '{ print $7 }' "/sys/block/${disk##*/}/stat"; }

writes_more() { [ "$(written)" -gt "$1" ]; }

# Writers that never end, so that something is in flight at any time.
make_busy() {
	local before
	before=$(written)
	# shellcheck disable=SC2016 # for the guest's shell
	in_guest 'for i in 1 2 3 4; do' \
		'while dd if=/dev/zero of=/mnt/busy$i bs=32k count=128 oflag=direct status=none; do :; done &' \
		'done' &&
		within "$patience" writes_more $((before + 2048)) && in_flight
}

# The bridge's device has requests that were taken and not yet given back.
in_flight() {
	within "$patience" is_in_flight || { queues_of "$bridge"; return 1; }
}

is_in_flight() {
	queues_of "$bridge" |
		awk '{ for (i = 1; i <= NF; i++) if (split($i, s, "=") == 2) n[s[1]] += s[2] }
			END { exit n["taken"] == n["given"] }'
}

bridge_stays() { within 10 unused && ! gone "$bridge"; }

verify_in_background() {
	in_guest 'fio --name=verify --directory=/mnt --size=8m --direct=1 --ioengine=libaio' \
		'--iodepth=8 --rw=randwrite --bsrange=4k-32k --verify=crc32c --verify_fatal=1 --loops=3' \
		'>/run/fio 2>&1 & fio=$!' &&
		in_flight
}

verified() { in_guest "wait \$fio || { tail -n 5 /run/fio; false; }"; }

connected() { within 20 grep -q 'a frontend connects' "$socket.log"; }

# --- what may befall them

reset_guest() {
	keep
	try 'a guest is busy' make_busy
	try 'is reset then, and boots' again qmp system_reset
	try 'its disk is clean after a replay' take_disk
	try 'and its files are there' is_kept
}

kill_vmm() {
	keep
	try 'a guest is busy' make_busy
	kill_now "$guest"
	try 'its VMM is killed, the bridge stays' bridge_stays
	start_patient
	try 'takes the next guest' is_up
	try 'whose disk is clean after a replay' take_disk
	try 'and the files are there' is_kept
}

kill_bridge() {
	keep
	try 'a guest is busy' make_busy
	kill_now "$bridge"
	try 'its bridge is killed, the VMM lives' is_running
	try 'the module serves nobody' within 10 unused
	kill_now "$guest"
	start_life
	start_patient
	try 'a new bridge serves the next guest' is_up
	try 'whose disk is clean after a replay' take_disk
	try 'and the files are there' is_kept
}

restart_bridge() {
	keep
	try 'a guest has fio at work' verify_in_background
	kill -TERM "$bridge"
	ends "$bridge" 10
	try 'its bridge is asked to end, and does well' test $? = 0
	try 'the module serves nobody' within 10 unused
	start_life
	try 'the VMM comes back to a new one' connected
	try 'nothing was lost meanwhile' verified
	try 'the files are there' is_kept
}
