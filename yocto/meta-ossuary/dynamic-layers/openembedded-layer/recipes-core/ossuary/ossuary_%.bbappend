# Wireless networks: iwd comes from this layer.
# nooelint: oelint.vars.dependsordered
RDEPENDS:${PN}-kiosk += "iwd"
