include $(sort $(wildcard $(BR2_EXTERNAL_BLOCKHAUL_PATH)/package/*/*.mk))
