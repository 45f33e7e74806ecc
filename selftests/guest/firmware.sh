# shellcheck shell=bash
# Firmware finds a boot loader, and that a kernel, on a disk.

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# One partition, for UEFI and for all that is to be booted; before it is room for GRUB.
partition() {
	echo 'start=2048, type=ef, bootable' | sfdisk -q --label dos "$disk" &&
		within 10 test -b "$(part)" &&
		mkfs.vfat -F 32 "$(part)" >/dev/null
}

part() { lsblk -lnpo NAME "$disk" | sed -n 2p; }

fill() {
	mount "$(part)" /mnt &&
		mkdir -p /mnt/EFI/BOOT &&
		image x86_64-efi /mnt/EFI/BOOT/BOOTX64.EFI &&
		cp "$kernel/vmlinuz" "$initramfs" /mnt/ &&
		umount /mnt
}

# image FORMAT FILE [MODULE...]: GRUB, with what it needs to find a kernel.
image() {
	cat >"$scratch/grub.cfg" <<-END
		search.file /vmlinuz root
		linux /vmlinuz $command_line loglevel=7 from=disk
		initrd /${initramfs##*/}
		boot
	END
	grub-mkimage -O "$1" -o "$2" -p / -c "$scratch/grub.cfg" part_msdos fat search_fs_file linux boot "${@:3}"
}

# Its first sector goes where a BIOS looks; as it is, it finds the rest in the next.
install_for_bios() {
	image i386-pc "$scratch/core" biosdisk &&
		dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=fsync status=none &&
		dd if="$scratch/core" of="$disk" seek=1 conv=fsync status=none
}

make_bootable() {
	try 'a disk is partitioned' partition
	try 'has a kernel, and GRUB for UEFI' fill
	try 'has GRUB for a BIOS' install_for_bios
}

# start_firmware NAME ARGUMENT...: QEMU, which boots what is on the disk.
start_firmware() {
	boot=("${@:2}")
	: >"$scratch/console"
	start_guest "${bootable[@]}"
	try "$1: the kernel on the disk starts" within "$patience" has_started
}

has_started() { grep -a 'Command line: .* from=disk' "$scratch/console"; }

# It came by the firmware's driver; the same comes by its own.
finds_all() {
	# shellcheck disable=SC2016 # for the guest's shell
	in_guest 'load nls_cp437; load nls_ascii; load vfat; mount -o ro $(disk firmware)1 /mnt &&' \
		'cat /mnt/vmlinuz | sha256sum; umount /mnt' |
		cmp - <(sha256sum <"$kernel/vmlinuz")
}

test_bios() {
	start_firmware SeaBIOS
	try 'SeaBIOS: the guest boots' is_up
	try 'SeaBIOS: the module serves it' is_served
	try 'SeaBIOS: finds what it was booted from' finds_all
	kill_now "$guest"
	try 'SeaBIOS: the module serves nobody after that' within 10 unused
}

# OVMF writes CR8 wherever it was interrupted, and QEMU, where it emulates a KVM host,
# aborts if another interrupt is pending then. There the guest is emulated as well, and
# what follows, as with SeaBIOS, would take minutes.
test_uefi() {
	! grep -q 'QEMU TCG' /proc/cpuinfo || accel=(-accel tcg -cpu max)
	cp /usr/share/OVMF/OVMF_VARS_4M.fd "$scratch/vars"
	start_firmware OVMF \
		-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
		-drive "if=pflash,format=raw,file=$scratch/vars"
	kill_now "$guest"
	try 'OVMF: the module serves nobody after that' within 10 unused
}

# test_firmware ARGUMENT...: QEMU's, for a device of the disk, the first to boot from,
# with the serial "firmware".
test_firmware() {
	bootable=("$@")
	test_bios
	try 'no kernel of a guest complained' quiet
	test_uefi
	try 'no kernel of a guest complained' quiet
}
