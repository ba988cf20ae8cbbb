SUMMARY = "Chromium as the browser of the kiosk"
DESCRIPTION = "\
    What the kiosk shows until its operator says something else. A product brings a config.json of its own, by a \
    bbappend. \
"
HOMEPAGE = "https://github.com/lumencanvas/ossuary-pi"
SECTION = "base"
LICENSE = "MIT"
# nooelint: oelint.var.licenseremotefile
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = "file://config.json"

S = "${UNPACKDIR}"

inherit allarch

do_install() {
    install -D -m 0644 ${S}/config.json ${D}${datadir}/ossuary/config.json
}

RDEPENDS:${PN} = "chromium-ozone-wayland"
