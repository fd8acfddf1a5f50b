"""An application's own folder: made by `new`, its tests run by `test` on an emulated board against an emulated cloud."""
