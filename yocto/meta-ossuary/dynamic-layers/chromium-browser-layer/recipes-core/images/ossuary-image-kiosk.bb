SUMMARY = "A kiosk: Chromium in weston's kiosk shell"
DESCRIPTION = "\
    One browser on the screen, kept alive by Ossuary and managed from a phone, on a root that is only read. \
"

require recipes-core/images/ossuary-image.inc

inherit features_check

REQUIRED_DISTRO_FEATURES = "opengl pam systemd wayland"

IMAGE_INSTALL += "liberation-fonts ossuary-chromium weston"
