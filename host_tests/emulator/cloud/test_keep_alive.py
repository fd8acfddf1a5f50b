"""Timers of a connection: keep-alive, and silence before a CONNECT (direct.md 1.6)."""

import pytest

from host_tests.support.cloud.client import USER, connect_packet, read_all, wait_offline
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Ack, Publish, Subscribe


@pytest.mark.parametrize(
    "packet",
    [codec.Pingreq(), Publish(USER + "up", b"x", 0), Subscribe(1, ((USER + "a", 0),)), Ack("puback", 1)],
    ids=lambda packet: type(packet).__name__,
)
def test_silence_of_one_and_a_half_keep_alives_ends_the_link_and_four_packets_restart_the_time(run, packet):
    """UNSUBSCRIBE, not one of the four, tells that the cloud has dealt with the packet before it."""

    def sync():
        client.send(codec.Unsubscribe(9, (USER + "never",)))
        while client.read() != Ack("unsuback", 9):
            pass

    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=30))
        for _ in range(3):
            cloud.advance(44)
            client.send(packet)
            sync()
        cloud.advance(44)
        sync()
        assert cloud.device()["status"] == "online"
        cloud.advance(2)
        assert client.closed() == "goodbye"
        assert cloud.log(event="closed by the platform")[-1]["reason"] == "keep alive ran out"
        wait_offline(cloud)


def test_the_keep_alive_that_counts_is_the_clamped_one_and_the_factor_a_figure(run):
    with run(timing={"keep_alive_factor": 2}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=60_000))
        cloud.advance(2399)
        assert cloud.device()["status"] == "online"
        cloud.advance(2)
        assert client.closed() == "goodbye"


def test_a_periodic_check_lets_a_link_live_longer(run):
    with run(timing={"keep_alive_check_seconds": 30}) as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=30))
        cloud.advance(20)
        client.nothing()
        cloud.advance(30)  # the check at 45 s finds 25 s of silence, the next comes 30 s later
        cloud.advance(20)
        assert cloud.device()["status"] == "online"
        cloud.advance(6)
        assert client.closed() == "goodbye"


def test_a_connection_that_says_nothing_is_closed(run):
    with run() as cloud:
        links = [cloud.open(where) for where in ("mqtt_tcp", "mqtt_tls", "https")]
        cloud.advance(29)
        assert cloud.log(event="expired") == []
        cloud.advance(2)
        for link in links:
            with link:
                assert read_all(link) == b""
        assert len(cloud.log(event="expired")) == 3


def test_a_device_that_is_online_is_not_closed_for_saying_nothing(run):
    with run() as cloud, cloud.mqtt() as client:
        client.online(connect_packet(keep_alive=1200))
        cloud.advance(1000)
        client.nothing()
