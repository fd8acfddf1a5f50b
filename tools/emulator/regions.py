"""The platform's regions (direct.md 5.1)."""

REGIONS = ("cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1", "ap-northeast-1",
           "us-west-1", "us-east-1", "eu-central-1")
