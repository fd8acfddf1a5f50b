"""Hosts, ports and roots by region, instance and override; direct.md 5."""

from aliot import record
from aliot.endpoint import Endpoint, endpoint
from aliot.errors import CredentialError
from scripted import raises

PK = "a1TESTpk001"
TABLE = (
    # fields of the record, override, host, port, instance, securemode of registration, roots
    ({}, {}, "a1TESTpk001.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443, "", 2, ("globalsign_r1", "globalsign_r6")),
    ({record.REGION: b"ap-northeast-1"}, {}, "a1TESTpk001.iot-as-mqtt.ap-northeast-1.aliyuncs.com", 443, "", 2,
     ("globalsign_r1", "globalsign_r6")),
    ({record.INSTANCE: b"iot-060a06ph"}, {}, "iot-060a06ph.mqtt.iothub.aliyuncs.com", 8883, "iot-060a06ph", -2, ("aliyun",)),
    ({record.INSTANCE: b"iot-060a06ph", record.PORT: b"\x5b\x07"}, {}, "iot-060a06ph.mqtt.iothub.aliyuncs.com", 1883,
     "iot-060a06ph", -2, ("globalsign_r1", "globalsign_r6")),
    ({record.HOST: b"iot-1.mqtt.iothub.aliyuncs.com"}, {}, "iot-1.mqtt.iothub.aliyuncs.com", 8883, "iot-1", -2, ("aliyun",)),
    ({record.HOST: b"broker.example"}, {}, "broker.example", 443, "", 2, ("globalsign_r1", "globalsign_r6")),
    ({record.REGION: b"cn-shanghai"}, {"instance": "iot-2"}, "iot-2.mqtt.iothub.aliyuncs.com", 8883, "iot-2", -2, ("aliyun",)),
    ({record.HOST: b"old.example", record.PORT: b"\x01\0"}, {"region": "eu-central-1"},
     "a1TESTpk001.iot-as-mqtt.eu-central-1.aliyuncs.com", 443, "", 2, ("globalsign_r1", "globalsign_r6")),
    ({record.INSTANCE: b"iot-3"}, {"port": 443}, "iot-3.mqtt.iothub.aliyuncs.com", 443, "iot-3", -2,
     ("globalsign_r1", "globalsign_r6")),
)


def test_table():
    for fields, override, host, port, instance, mode, roots in TABLE:
        made = endpoint(PK, fields, override)
        assert (made.host, made.port, made.instance) == (host, port, instance), made.host
        assert (made.register_mode, made.roots) == (mode, roots)


def test_registration_hosts():
    assert Endpoint(PK).register_host == "iot-auth.cn-shanghai.aliyuncs.com"
    assert Endpoint(PK, "ap-southeast-1").register_host == "iot-auth.ap-southeast-1.aliyuncs.com"
    assert endpoint(PK, {record.REGISTER_HOST: b"auth.example"}, {}).register_host == "auth.example"


def test_what_cannot_be_a_host_or_port_is_refused():
    for wrong in ({"region": "cn shanghai"}, {"region": "x/y"}, {"instance": "iot_1|"}, {"host": "h:1"}, {"port": 65536},
                  {"port": -1}, {"port": 0}, {"region": 5}, {"host": None}, {"port": "443"}, {"register_host": "a b"}, {"product_key": "x"}, "cn-shanghai", ["region"]):
        raises(CredentialError, endpoint, PK, {}, wrong)
