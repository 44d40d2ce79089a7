# Starts OpenSearch Dashboards on a log store without passwords, and gives it our saved objects once it answers.
set -euo pipefail
cd /usr/share/opensearch-dashboards
# The plugin wants a secured store; it has no switch.
if [ -d plugins/securityDashboards ]; then bin/opensearch-dashboards-plugin remove securityDashboards; fi
bash /run/config/opensearch-dashboards-objects.sh &
exec bin/opensearch-dashboards --config=/run/config/opensearch-dashboards.yml
