"""What the app reads by config_from_object(): where the jobs are kept, and nothing else is needed."""

import os

store = os.environ.get("CCP_STORE", "tasks.json")
result_ttl = 86400
