"""The settings that the app reads with config_from_object(). Only the store is required."""

import os

store = os.environ.get("CCP_STORE", "tasks.json")
result_ttl = 86400
