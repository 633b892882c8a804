################################################################################
#
# blockhaul
#
################################################################################

BLOCKHAUL_VERSION = 0.1.0
BLOCKHAUL_SITE = $(call qstrip,$(BR2_PACKAGE_BLOCKHAUL_SITE))
BLOCKHAUL_SOURCE = blockhaul-$(BLOCKHAUL_VERSION).tar.gz
BLOCKHAUL_LICENSE = MIT or Apache-2.0
BLOCKHAUL_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE

BLOCKHAUL_CARGO_BUILD_OPTS = --package blockhauld --package blockhaul

define BLOCKHAUL_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/blockhauld $(TARGET_DIR)/usr/sbin/blockhauld
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/release/blockhaul $(TARGET_DIR)/usr/bin/blockhaul
	printf 'BLOCKHAULD_OPTIONS="--listen %s"\n' $(BR2_PACKAGE_BLOCKHAUL_LISTEN) > $(TARGET_DIR)/etc/default/blockhauld
endef

define BLOCKHAUL_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/image/packaging/systemd/blockhauld.service \
		$(TARGET_DIR)/usr/lib/systemd/system/blockhauld.service
endef

define BLOCKHAUL_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(BLOCKHAUL_PKGDIR)/S60blockhaul $(TARGET_DIR)/etc/init.d/S60blockhaul
endef

define BLOCKHAUL_USERS
	blockhaul -1 blockhaul -1 * /var/lib/blockhaul - disk blockhaul
endef

define BLOCKHAUL_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_IO_URING)
	$(call KCONFIG_ENABLE_OPT,CONFIG_EPOLL)
	$(call KCONFIG_ENABLE_OPT,CONFIG_UNIX)
	$(call KCONFIG_ENABLE_OPT,CONFIG_INET)
endef

$(eval $(cargo-package))
