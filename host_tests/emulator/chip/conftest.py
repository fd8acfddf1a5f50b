from host_tests.support.chips import bench, espefuse, esptool, quick_client, stock_image
