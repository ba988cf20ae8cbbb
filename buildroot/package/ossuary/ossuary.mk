################################################################################
#
# ossuary
#
################################################################################

# The program comes from the tree this file is in, and so fits the overlay that
# comes from there too. A sum of its sources is part of the version: a tree that
# has changed is another download.
OSSUARY_VERSION = 0.1.0-$(shell $(OSSUARY_PKGDIR)/source sum)
OSSUARY_SITE = file://$(BUILD_DIR)/ossuary-source
OSSUARY_LICENSE = MIT
OSSUARY_LICENSE_FILES = LICENSE

# "Downloaded" like any other package, not rsynced from the tree: only what was
# downloaded has its crates vendored, so that "make source" gets all there is to
# get and the build needs no network.
define OSSUARY_ARCHIVE_TREE
	mkdir -p $(BUILD_DIR)/ossuary-source
	$(OSSUARY_PKGDIR)/source tar ossuary-$(OSSUARY_VERSION) \
		$(BUILD_DIR)/ossuary-source/$(OSSUARY_SOURCE)
endef
OSSUARY_PRE_DOWNLOAD_HOOKS += OSSUARY_ARCHIVE_TREE

# And there is no ossuary.hash, for a sum in the tree of the tree cannot be. What
# comes from elsewhere, the crates, is held by the sums in Cargo.lock, which cargo
# checks when it vendors them. A product that keeps the vendored archive adds its
# sum to BR2_GLOBAL_PATCH_DIR/ossuary/ossuary.hash: one line for each Buildroot,
# because the archive of 2026.05 is called -cargo5.tar.gz, the one of 2026.08
# -cargo6.tar.gz, and their bytes differ.

# Buildroot's own settings would take the place of those in Cargo.toml, and make a
# program of 3.9 MB out of one of 2.35.
OSSUARY_CARGO_ENV = \
	CARGO_PROFILE_RELEASE_OPT_LEVEL=z \
	CARGO_PROFILE_RELEASE_LTO=fat \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1

# The same as rootfs-overlay/usr/lib/sysusers.d/ossuary.conf: a root that can
# only be read has to have its accounts from the beginning.
define OSSUARY_USERS
	kiosk 1000 kiosk 1000 * /home/kiosk /usr/sbin/nologin video,audio,input,render Kiosk
endef

$(eval $(cargo-package))
