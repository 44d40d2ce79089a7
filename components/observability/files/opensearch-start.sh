# Starts OpenSearch with our configuration. It lies in the image's own folder, where the server also writes its keystore.
set -euo pipefail
home=/usr/share/opensearch
# Forced, since the copies of the last start are read-only as the files are.
cp -f /run/config/opensearch.yml "$home/config/opensearch.yml"
cp -f /run/config/log4j2.properties "$home/config/log4j2.properties"
options=()
# The built image has no such plugin and knows no setting of it. Nobody but the stack's own network reaches the port.
if [ -d "$home/plugins/opensearch-security" ]; then options=(-Eplugins.security.disabled=true); fi
exec "$home/bin/opensearch" "${options[@]}"
