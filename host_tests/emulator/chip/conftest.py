from host_tests.support.chips import bench, espefuse, esptool, quick_client, stock_image  # noqa: F401  fixtures
