"""Whether to heat. Pure: its tests need no board."""


class Thermostat:
    """Heats below `target` and stops above it; within `band` degrees of it nothing changes."""

    def __init__(self, target, band=0.5):
        self.target = target
        self.band = band
        self.heating = False

    def set_target(self, target):
        """Take another target, which may be anything that a cloud can send; returns whether it was one."""
        good = isinstance(target, (int, float)) and not isinstance(target, bool) and 5 <= target <= 30
        if good:
            self.target = target
        return good

    def feel(self, temperature):
        """Take a temperature; returns whether to heat."""
        if abs(temperature - self.target) > self.band:
            self.heating = temperature < self.target
        return self.heating
