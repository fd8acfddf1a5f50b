"""The decision alone, on the host."""

from thermostat import Thermostat


def test_within_the_band_nothing_changes():
    thermostat = Thermostat(20)
    felt = [thermostat.feel(temperature) for temperature in (20, 19.6, 19.4, 19.8, 20.4, 20.6, 20)]
    assert felt == [False, False, True, True, True, False, False]


def test_a_target_is_a_number_of_degrees():
    thermostat = Thermostat(20)
    assert not any(thermostat.set_target(target) for target in ("21", None, True, 4, 31, [21]))
    assert thermostat.target == 20 and thermostat.set_target(21) and thermostat.target == 21
