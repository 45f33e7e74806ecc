#!/usr/bin/env bash
# Disks of all kinds under one guest: what it sees of them and writes to them is
# right, also while a leg of a mirror fails and the connection to a remote disk
# is cut. Runs in a box.
#
#   backends_test.sh [KERNEL]   the guest's (6.12, or a newer one)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
kernel=${1:-6.12}
words=$scratch/words results=$scratch/box
config=/sys/kernel/config
kinds=(null brd loop lvm crypt raid scsi nvme)
declare -A disks bridges
export DM_DISABLE_UDEV=1	# no daemon in the box makes nodes

# --- disks: make_KIND leaves its node in $disk, drop_KIND leaves nothing

make_null() { make_disk backends 64; }
drop_null() { rmdir "$config/nullb/backends" && rmmod null_blk; }

make_brd() { disk=/dev/ram0; }
drop_brd() { rmmod brd; }

make_loop() {
	modprobe loop
	truncate -s 64M "$scratch/file"
	disk=$(losetup --find --show "$scratch/file")
}

drop_loop() { losetup -d "${disks[loop]}" && [ -z "$(losetup -a)" ]; }

make_lvm() {
	pvcreate -q /dev/ram1 && vgcreate -q disks /dev/ram1 &&
		lvcreate -q --zero n --wipesignatures n --extents 100%FREE --name guest disks
	disk=/dev/disks/guest
}

drop_lvm() { vgremove -q --yes disks && pvremove -q /dev/ram1 && ! compgen -G '/sys/block/dm-*'; }

make_crypt() {
	head -c 32 /dev/urandom >"$scratch/key"
	cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/ram2 "$scratch/key" &&
		cryptsetup open --allow-discards --key-file "$scratch/key" /dev/ram2 backends
	disk=/dev/mapper/backends
}

drop_crypt() { cryptsetup close backends; }

make_raid() {
	mdadm --create /dev/md/backends --run --assume-clean --level=1 --raid-devices=2 \
		--bitmap=none --size=32M /dev/ram3 /dev/ram4
	disk=$(realpath /dev/md/backends)
}

drop_raid() { mdadm --stop "${disks[raid]}" && ! grep '^md' /proc/mdstat; }

make_scsi() {
	local found='/sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/*'
	modprobe sd_mod
	modprobe scsi_debug sector_size=4096 dev_size_mb=64 lbpu=1
	within 10 compgen -G "$found"
	disk=/dev/$(basename "$(compgen -G "$found")")
	within 10 test -b "$disk"
}

drop_scsi() { rmmod scsi_debug; }

subsystem=$config/nvmet/subsystems/backends
port=$config/nvmet/ports/1

make_nvme() {
	modprobe -a nvmet-tcp nvme-tcp
	mkdir -p "$subsystem/namespaces/1" "$port"
	echo 1 >"$subsystem/attr_allow_any_host"
	echo /dev/ram5 >"$subsystem/namespaces/1/device_path"
	echo 1 >"$subsystem/namespaces/1/enable"
	echo tcp >"$port/addr_trtype"
	echo ipv4 >"$port/addr_adrfam"
	echo 127.0.0.1 >"$port/addr_traddr"
	echo 4420 >"$port/addr_trsvcid"
	restore_connection
	nvme connect --transport=tcp --traddr=127.0.0.1 --trsvcid=4420 --nqn=backends \
		--nr-io-queues=1 --reconnect-delay=1 --ctrl-loss-tmo=600
	disk=/dev/nvme0n1
	within 10 test -b "$disk"
}

cut_connection() { rm "$port/subsystems/backends"; }
restore_connection() { ln -s "$subsystem" "$port/subsystems/"; }

drop_nvme() {
	nvme disconnect --nqn=backends && [ ! -e /sys/class/nvme/nvme0 ] &&
		cut_connection && rmdir "$port" "$subsystem/namespaces/1" "$subsystem"
}

make_disks() {
	mountpoint -q "$config" || mount -t configfs none "$config"
	modprobe brd rd_nr=6 rd_size=$((64 << 10))
	for kind in "${kinds[@]}"; do
		"make_$kind" >"$scratch/make" 2>&1
		disks[$kind]=$disk
		try "$kind: $disk is there" there "$disk"
	done
}

there() { [ -b "$1" ] || { cat "$scratch/make"; return 1; }; }

# geometry KIND: what the guest has to see. The most that it discards at a time
# has 32 bits, and the least is a physical block for its kernel, whatever it is
# for an older host. It has a cache unless it wants none, and flushes it for
# nothing if the host has none.
geometry() {
	local dir blocks most granularity
	dir=/sys/dev/block/$(stat -Lc %Hr:%Lr "${disks[$1]}")
	blocks=$(cat "$dir"/queue/{logical,physical}_block_size | paste -sd' ')
	most=$(($(cat "$dir/queue/discard_max_bytes") >> 9))
	[ $most -lt $((0xffffffff >> 9)) ] || most=$((0xffffffff >> 9))
	granularity=$(cat "$dir/queue/discard_granularity")
	[ "$granularity" -ge "${blocks#* }" ] || granularity=${blocks#* }
	[ $most != 0 ] || granularity=0
	echo "$1 $(cat "$dir/size") $blocks $((most << 9)) $granularity write back"
}

# --- bridges and the guest

boot_guest() {
	local arguments=() kind
	for kind in "${kinds[@]}"; do
		arguments+=(-a -chardev -a "socket,id=$kind,path=$scratch/$kind"
			-a -device -a "vhost-user-blk-pci,chardev=$kind,num-queues=1")
	done
	"$top/tools/vm/box" run -s -t 1000 -o "$results" \
		"${arguments[@]}" "$kernel" "$top/selftests/guest/backends.sh" >"$words" 2>&1 &
	guest=$!
}

# says WORDS SECONDS: the guest does, in that time.
says() { within "$2" said_or_gone "$1" && grep -qx "$1" "$words"; }
said_or_gone() { grep -qx "$1" "$words" || gone "$guest"; }

# counter KIND NAME: a number that the module counts for a disk's queue.
counter() {
	queues_of "${bridges[$1]}" | sed -n "s/.* $2=\([0-9]*\).*/\1/p"
}

busy() { [ "$(counter "$1" taken)" != "$(counter "$1" ended)" ]; }

# goes_on KIND: some more requests end, sooner or later. The guest may have to start eight
# programs at once.
goes_on() {
	local before
	before=$(counter "$1" ended) && [ -n "$before" ] &&
		within "$patience" more "$1" $((before + 20)) && return
	echo "not 20 more than $before:"
	queues_of "${bridges[$1]}"
	return 1
}

more() { [ "$(counter "$1" ended)" -gt "$2" ]; }

polls_for() { [ "$(counter null poll-us)" = "$1" ]; }

# --- what happens under I/O

lose_leg() { mdadm --fail "${disks[raid]}" /dev/ram3 && grep -F '[2/1] [_U]' /proc/mdstat; }

regain_leg() {
	mdadm --remove "${disks[raid]}" /dev/ram3 && mdadm --add "${disks[raid]}" /dev/ram3 &&
		within 60 grep -F '[2/2] [UU]' /proc/mdstat
}

# What is in flight stays there, and nothing ends. A guest that began its next
# round asks for nothing until that runs.
stands_still() {
	local ended
	within "$patience" busy nvme || { echo 'nothing in flight'; return 1; }
	sleep 1
	ended=$(counter nvme ended)
	sleep 3
	echo "taken, ended: $(counter nvme taken) $(counter nvme ended)"
	busy nvme && [ "$(counter nvme ended)" = "$ended" ]
}

idle() {
	local given failed
	given=$(counter "$1" given) failed=$(counter "$1" failed)
	echo "given: $given, of these failed: $failed"
	[ "$given" -gt 0 ] && [ "$given" = "$(counter "$1" taken)" ] &&
		[ "$given" = "$(counter "$1" ended)" ] && [ "$failed" = 0 ]
}

# With a guest that does not get anywhere, what follows would wait in vain. One whose
# requests fail, or whose data is wrong, says so.
give_up() {
	touch "$results/enough"
	says 'io ends' 30
	! gone "$guest" || { wait "$guest"; if_it_ran $?; }
	kill "${bridges[@]}"
	show_guest "$words"
	tail -n 20 "$results/console" | sed 's/^/# /'
	finish
}

make_disks
[ $failures = 0 ] || finish
mkdir "$results"
for kind in "${kinds[@]}"; do
	start_bridge "$scratch/$kind" "${disks[$kind]}" --serial "$kind" --num-queues 1 --once
	bridges[$kind]=$bridge
	geometry "$kind"
done >"$results/disks"
: >"$words"
boot_guest
try 'the guest reads and writes' says 'io begins' 200
[ $failures = 0 ] || give_up
for kind in "${kinds[@]}"; do
	try "$kind is in use" goes_on "$kind"
done
[ $failures = 0 ] || give_up
try 'a bridge looks for more for as long as QEMU does' polls_for 32
try 'a leg of the mirror fails' lose_leg
try 'the mirror goes on' goes_on raid
try 'the leg is rebuilt' regain_leg
try 'the mirror still goes on' goes_on raid
try 'the connection is cut' cut_connection
try 'the remote disk stands still' stands_still
try 'another goes on' goes_on brd
try 'the connection is restored' restore_connection
try 'the remote disk goes on' goes_on nvme
touch "$results/enough"
try 'the guest is done' says 'io ends' 200
for kind in "${kinds[@]}"; do
	try "$kind has nothing in flight, nothing failed" idle "$kind"
done
touch "$results/bye"
wait "$guest"
guest_status=$?
if_it_ran $guest_status
show_guest "$words"
try 'the guest ends well' test "$guest_status" = 0
for kind in "${kinds[@]}"; do
	ends "${bridges[$kind]}" 5
	try "the bridge of $kind ends when its frontend leaves" ended "$scratch/$kind.log" $?
done
for ((i = ${#kinds[@]} - 1; i >= 0; i--)); do
	[ "${kinds[i]}" = brd ] || try "${kinds[i]} is gone" "drop_${kinds[i]}"
done
try 'brd is gone, so nobody uses it' drop_brd
finish
