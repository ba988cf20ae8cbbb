#!/bin/sh
# What makes the root one that is only read, before its image is made: the places where the data
# partition is mounted (the units are in rootfs-overlay/), and its line in fstab.
#
#   post-build.sh TARGET_DIR
set -eu

mkdir -p "$1/data" "$1/etc/ossuary" "$1/home"
if ! grep -q '^LABEL=ossuary-data ' "$1/etc/fstab"; then
  echo 'LABEL=ossuary-data /data ext4 noatime,nodev,nosuid,x-systemd.growfs 0 2' >>"$1/etc/fstab"
fi
