SUMMARY = "Turns a device into an unattended kiosk"
SUMMARY:${PN}-kiosk = "The screen, the name and the data partition of a device that is a kiosk"
DESCRIPTION = "\
    One daemon that keeps one browser on the screen and any number of processes alive, is managed from a phone, \
    and costs less than 3 MB of memory. \
"
HOMEPAGE = "https://github.com/lumencanvas/ossuary-pi"
BUGTRACKER = "https://github.com/lumencanvas/ossuary-pi/issues"
SECTION = "base"
# Of the program with all that is linked into it; where a crate lets choose, MIT is chosen, if that is among them.
LICENSE = "MIT & BSD-3-Clause & Unicode-3.0 & Zlib"
LICENSE:${PN}-kiosk = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=7dfc3ea9f3f2b2f1f41cae35110e0eb9"

require ${BPN}-crates.inc
require ${BPN}-licences.inc

# The program and the overlay come from the tree this layer is in, so that they fit each other: keep it whole.
# nooelint: oelint.vars.fileextrapaths
FILESEXTRAPATHS:prepend := "${THISDIR}/../../../..:"
SRC_URI += "\
    file://Cargo.toml;subdir=${BP} \
    file://Cargo.lock;subdir=${BP} \
    file://build.rs;subdir=${BP} \
    file://LICENSE;subdir=${BP} \
    file://src;subdir=${BP} \
    file://rootfs-overlay;subdir=${BP} \
"

inherit cargo cargo-update-recipe-crates systemd useradd

# The symbols go into a package of their own, which needs them to be there.
export CARGO_PROFILE_RELEASE_STRIP = "false"

do_install:append() {
    cp -R --no-dereference --preserve=mode,links ${S}/rootfs-overlay/usr/. ${D}${prefix}/
    install -d -m 0700 ${D}${sysconfdir}/ossuary
    install -d ${D}/data
}

# Two packages: the daemon for any system, and what makes the whole device a kiosk.
PACKAGES =+ "${PN}-kiosk"

FILES:${PN} += "\
    ${nonarch_libdir}/sysusers.d \
    ${nonarch_libdir}/tmpfiles.d \
    ${systemd_unitdir}/system-preset/50-ossuary.preset \
"
FILES:${PN}-kiosk += "\
    /data \
    ${datadir}/ossuary \
    ${nonarch_libdir}/ossuary \
    ${nonarch_libdir}/sysctl.d \
    ${nonarch_libdir}/udev \
    ${systemd_system_unitdir}/seatd.service.d \
    ${systemd_unitdir}/*.conf.d \
    ${systemd_unitdir}/dnssd \
    ${systemd_unitdir}/network \
    ${systemd_unitdir}/system-preset/51-ossuary-image.preset \
"

RDEPENDS:${PN}-kiosk = "\
    ${PN} \
    e2fsprogs-e2fsck \
    seatd \
    systemd-networkd \
    util-linux-blkid \
    util-linux-flock \
    util-linux-mountpoint \
    util-linux-partx \
    util-linux-sfdisk \
"

SYSTEMD_PACKAGES = "${PN} ${PN}-kiosk"
SYSTEMD_SERVICE:${PN} = "ossuary.service"
SYSTEMD_SERVICE:${PN}-kiosk = "\
    etc-ossuary.mount \
    home.mount \
    ossuary-cage.service \
    ossuary-first-boot.service \
    ossuary-grow.service \
    ossuary-hostname.service \
    ossuary-memory.service \
    ossuary-weston.service \
    var-lib-iwd.mount \
    var-lib-ossuary.mount \
"

# The same as rootfs-overlay/usr/lib/sysusers.d/ossuary.conf: a root that can only be read has to have its accounts
# from the beginning.
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system render; --gid 1000 kiosk"
USERADD_PARAM:${PN} = "\
    --uid 1000 \
    --gid kiosk \
    --groups video,audio,input,render \
    --home-dir /home/kiosk \
    --no-create-home \
    --shell ${base_sbindir}/nologin \
    --comment Kiosk \
    kiosk \
"
