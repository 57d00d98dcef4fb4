#!/bin/bash
# Builds an offline box: Debian 12 with everything that a hub or a node needs, so that `vagrant up` needs no network at all.
#
#   sudo vagrant/box/build.sh [DIR]     box files and a catalogue go to DIR (default /var/cache/wherry/box)
#
#   FORMATS="libvirt qemu virtualbox"   which boxes (default all three)
#   SOURCES=FILE                        where Debian's packages are (default: this machine's, or deb.debian.org)
#   BASE=FILE                           a tarball of the packages, which is made if it is not there: for building again and again
#   KERNEL_ARGS=mitigations=off         further arguments of the kernel; these suit machines without hardware virtualisation
#   NODE_MODULES=DIR                    installed npm packages to take, instead of asking the npm registry
#
# Then:  vagrant box add DIR/wherry-offline.json --provider libvirt
#        WHERRY_BOX=wherry/offline vagrant up
#
# It needs root, the packages mmdebstrap, qemu-utils, extlinux, syslinux-common and fdisk, Debian's packages and the npm registry.
set -euo pipefail
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C.UTF-8

here=$(cd "$(dirname "$0")" && pwd -P)
project=$(cd "$here/../.." && pwd -P)
# shellcheck source=vagrant/provision/steps.sh
. "$project/vagrant/provision/steps.sh"
case ${1-} in -h | --help) sed -n '2,/^set -eu/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 0 ;; esac
[ "$(id -u)" -eq 0 ] || fail 'only root can make a root file system' 'run the same command with sudo'
[ "$(uname -m)" = x86_64 ] || fail "a box is built on x86-64, and this is $(uname -m)" 'use the boxes that the Vagrantfile names, with a network'

out=${1:-/var/cache/wherry/box}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
formats=${FORMATS:-libvirt qemu virtualbox}
name=wherry/offline
# A name of its own for each content: Vagrant keeps boxes, and libvirt their images, by version.
version=1.0.$(date +%s)
gib=4 # virtual size; the image holds what is used
for tool in mmdebstrap qemu-img sfdisk mke2fs extlinux npm; do
  command -v "$tool" >/dev/null || fail "this machine lacks $tool" 'apt-get install mmdebstrap qemu-utils fdisk extlinux syslinux-common nodejs npm'
done

work=$(mktemp -d "$out/.work-XXXXXX")
root=$work/root
mounted=()
cleanup() {
  for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do umount "${mounted[i]}" || true; done
  rm -rf "$work"
}
trap cleanup EXIT
attach() { # mount's arguments, the place last
  mount "$@"
  mounted+=("${!#}")
}
detach() {
  umount "${mounted[-1]}"
  unset 'mounted[-1]'
}
within() { chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }

sources() {
  if [ -n "${SOURCES-}" ]; then
    echo "$SOURCES"
  elif grep -qs bookworm /etc/apt/sources.list.d/debian.sources; then
    echo /etc/apt/sources.list.d/debian.sources
  else
    echo 'deb http://deb.debian.org/debian bookworm main' >"$work/sources.list"
    echo "$work/sources.list"
  fi
}

debian() {
  local pkgs base
  pkgs=$(grep -v '^#' "$project/vagrant/provision/packages.txt" | paste -sd,)
  # The cloud kernel lacks the devices that VirtualBox gives.
  pkgs+=,linux-image-amd64,initramfs-tools,zstd,systemd,systemd-sysv,systemd-timesyncd,dbus,udev,e2fsprogs,netbase,passwd,openssl
  pkgs+=,openssh-server,sudo,rsync,procps,less,iputils-ping,ethtool,kubernetes-client
  base=${BASE:-$work/root.tar}
  [ -s "$base" ] || mmdebstrap --quiet --variant=minbase --include="$pkgs" --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$base" "$(sources)"
  mkdir "$root"
  # Capabilities of files are in extended attributes.
  tar -C "$root" --numeric-owner --xattrs --xattrs-include='*' -xpf "$base"
  rm -f "$work/root.tar"
  # shellcheck disable=SC2016 # dpkg-query's own variables
  did=$(within dpkg-query -W -f='${db:Status-Abbrev}\n' | grep -c '^ii')' packages'
}

# Vagrant's user with its well-known key, which Vagrant replaces at the first `up`.
identity() {
  local keys
  keys=$(dpkg -L vagrant 2>/dev/null | grep '/keys/vagrant.pub$' || true)
  echo wherry >"$root/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 wherry\n::1 localhost ip6-localhost\n' >"$root/etc/hosts"
  echo 'LABEL=wherry / ext4 rw,noatime,errors=remount-ro 0 1' >"$root/etc/fstab"
  : >"$root/etc/machine-id"
  rm -f "$root/etc/resolv.conf"
  echo '# DHCP tells of no resolver' >"$root/etc/resolv.conf"
  within useradd -m -s /bin/bash -G sudo,adm vagrant
  install -d -m 700 "$root/home/vagrant/.ssh"
  install -m 600 "${keys:-$here/vagrant.pub}" "$root/home/vagrant/.ssh/authorized_keys"
  within chown -R vagrant:vagrant /home/vagrant/.ssh
  echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
  chmod 440 "$root/etc/sudoers.d/vagrant"
  printf 'UseDNS no\nPasswordAuthentication no\n' >"$root/etc/ssh/sshd_config.d/vagrant.conf"
  # The first card is Vagrant's own, whatever it is called; the others Vagrant sets itself.
  put "$root/etc/systemd/network/80-vagrant.network" 644 <<'N'
[Match]
Name=eth0
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
ClientIdentifier=mac
N
  within systemctl -q enable systemd-networkd ssh
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer \
    systemd-networkd-wait-online.service systemd-pstore.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
}

# The same script as on any machine, short of what needs a running system. Its npm packages come from this machine's npm.
wherry() {
  local src=$root/usr/src/wherry
  mkdir -p "$src" "$root/opt/wherry"
  tar -C "$project" --exclude=./.git --exclude=./node_modules --exclude=.vagrant --exclude='*.log' -cf - . | tar -C "$src" --no-same-owner -xf -
  if [ -n "${NODE_MODULES-}" ]; then
    cp -a "$NODE_MODULES" "$root/opt/wherry/node_modules"
  else
    cp "$project/package.json" "$project/package-lock.json" "$root/opt/wherry/"
    (cd "$root/opt/wherry" && { npm ci --omit=dev --no-audit --no-fund --loglevel=error ||
      npm install --no-save --omit=dev --no-audit --no-fund --loglevel=error; }) >"$work/npm.log" 2>&1 ||
      { head -n 6 "$work/npm.log" >&2; fail 'the npm packages could not be installed; the first lines are above' 'see that the npm registry can be reached'; }
  fi
  chown -R 0:0 "$root/opt/wherry"
  sha256sum "$project/package-lock.json" | cut -d' ' -f1 >"$root/opt/wherry/node_modules/.wherry-lock"
  attach -t proc proc "$root/proc"
  within sh /usr/src/wherry/vagrant/provision/install.sh --root
  detach
  rm -rf "$src"
}

# An initrd with the disks of every provider, and no more.
initrd() {
  printf 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n' >"$root/etc/initramfs-tools/conf.d/wherry"
  printf '%s\n' virtio_pci virtio_blk virtio_scsi virtio_net ahci ata_piix sd_mod mptspi nvme ext4 crc32c_generic >"$root/etc/initramfs-tools/modules"
  attach -t proc proc "$root/proc"
  within update-initramfs -u >"$work/initrd.log" 2>&1 || { tail -n 5 "$work/initrd.log" >&2; fail 'the initrd could not be made' 'its last lines are above'; }
  detach
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  did=$(du -h "$root"/boot/initrd.img-* | cut -f1)
}

# One ext4 partition, filled without mounting, and extlinux to start it.
disk() {
  local raw=$work/disk.raw place=$work/mount
  mkdir -p "$root/boot/extlinux" "$place"
  cat >"$root/boot/extlinux/extlinux.conf" <<C
DEFAULT wherry
PROMPT 0
TIMEOUT 0
LABEL wherry
  LINUX /boot/$(basename "$root"/boot/vmlinuz-*)
  INITRD /boot/$(basename "$root"/boot/initrd.img-*)
  APPEND root=LABEL=wherry ro net.ifnames=0 console=tty0 console=ttyS0,115200 quiet ${KERNEL_ARGS-}
C
  truncate -s ${gib}G "$raw"
  echo 'start=2048, type=83, bootable' | sfdisk -q "$raw"
  dd if=/usr/lib/EXTLINUX/mbr.bin of="$raw" conv=notrunc bs=440 count=1 status=none
  # extlinux reads neither 64-bit block numbers nor checksums of metadata.
  mke2fs -q -F -t ext4 -O ^64bit,^metadata_csum -L wherry -m 1 -E offset=1048576,lazy_itable_init=1,lazy_journal_init=1 \
    -d "$root" "$raw" $((gib * 1024 * 1024 - 1024))k
  attach -o loop,offset=1048576 "$raw" "$place"
  extlinux --install "$place/boot/extlinux" >/dev/null 2>&1
  detach
  did=$(du -h "$raw" | cut -f1)' used'
}

pack() { # format
  local dir=$work/$1
  mkdir "$dir"
  case $1 in
    libvirt | qemu)
      [ -e "$work/box.img" ] || qemu-img convert -f raw -O qcow2 -c "$work/disk.raw" "$work/box.img"
      ln "$work/box.img" "$dir/box.img"
      echo "{\"provider\":\"$1\",\"format\":\"qcow2\",\"virtual_size\":$gib}" >"$dir/metadata.json"
      printf 'Vagrant.configure("2") do |config|\nend\n' >"$dir/Vagrantfile"
      ;;
    virtualbox)
      qemu-img convert -f raw -O vmdk -o subformat=streamOptimized "$work/disk.raw" "$dir/box-disk001.vmdk"
      sed -e "s/@BYTES@/$((gib << 30))/" "$here/box.ovf" >"$dir/box.ovf"
      echo '{"provider":"virtualbox"}' >"$dir/metadata.json"
      printf 'Vagrant.configure("2") do |config|\n  config.vm.base_mac = "0800272B1E55"\nend\n' >"$dir/Vagrantfile"
      ;;
    *) fail "FORMATS: there is no format $1" 'libvirt, qemu and virtualbox are the formats' ;;
  esac
  tar -C "$dir" -cf "$work/wherry-offline-$1.box" .
  mv "$work/wherry-offline-$1.box" "$out/"
  did=$(du -h "$out/wherry-offline-$1.box" | cut -f1)
}

# The catalogue gives the boxes a version, by which Vagrant tells a new one from an old one.
catalogue() {
  local entries='' format sum
  for format in $formats; do
    sum=$(sha256sum "$out/wherry-offline-$format.box" | cut -d' ' -f1)
    entries+="${entries:+, }{ \"name\": \"$format\", \"url\": \"file://$out/wherry-offline-$format.box\", \"checksum_type\": \"sha256\", \"checksum\": \"$sum\" }"
  done
  printf '{ "name": "%s", "versions": [ { "version": "%s", "providers": [ %s ] } ] }\n' "$name" "$version" "$entries" >"$out/wherry-offline.json"
  did="$out/wherry-offline.json, version $version"
}

step 'Debian 12' debian
step 'user and network' identity
step 'Wherry' wherry
step 'initrd' initrd
step 'disk' disk
for format in $formats; do step "box for $format" pack "$format"; done
step 'catalogue' catalogue
