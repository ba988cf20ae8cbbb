#!/bin/sh
# What makes the root one that is only read, before its image is made: the places where the data
# partition is mounted (the units are in rootfs-overlay/), its line in fstab, and the zone that is kept there.
#
#   post-build.sh TARGET_DIR
set -eu

mkdir -p "$1/data" "$1/etc/ossuary" "$1/home"
# Not by its label: while the file system grows its label cannot be read for a moment, and what is mounted by it
# would be taken away. And without it the system starts all the same (ossuary-memory.service).
if ! grep -q ' /data ' "$1/etc/fstab"; then
  echo 'PARTUUID=6f737375-03 /data ext4 noatime,nodev,nosuid,nofail,x-systemd.growfs 0 2' >>"$1/etc/fstab"
fi
ln -sf /data/etc/localtime "$1/etc/localtime"
