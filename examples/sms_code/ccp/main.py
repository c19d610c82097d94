"""The app: `hourwheel worker -A ccp.main -l info -c 10`."""

from hourwheel import Scheduler

app = Scheduler()
app.config_from_object("ccp.config")
app.autodiscover_tasks(["ccp.sms"])
