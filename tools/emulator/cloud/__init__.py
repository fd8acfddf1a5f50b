"""The emulated Alibaba Cloud IoT Platform: MQTT, HTTPS registration, registry, rules, faults.

Written from the protocol pages alone and sharing no code with the firmware.
README.md in this folder has the configuration, the switches and the admin API,
faults.md the faults.
"""
