SUMMARY = "A device that keeps processes alive, without a screen"
DESCRIPTION = "\
    The daemon, a root that is only read, and a data partition: what an image with a browser of your own is made from. \
"

require recipes-core/images/ossuary-image.inc
