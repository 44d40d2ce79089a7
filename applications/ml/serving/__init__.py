"""model-serving: the probability of an adverse event in the next 24 hours, over HTTP, each prediction audited."""

# Before Feast, which tells prometheus_client, if it comes first, to keep its values in files for several processes.
import prometheus_client as _  # noqa: F401
