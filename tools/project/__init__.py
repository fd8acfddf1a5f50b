"""The folder of an application: `new` makes one, `test` runs its tests on an emulated board and cloud."""
