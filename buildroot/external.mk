include $(sort $(wildcard $(BR2_EXTERNAL_OSSUARY_PATH)/package/*/*.mk))
