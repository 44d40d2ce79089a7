# The whole configuration holds passwords: it comes from a secret file into this process's own environment.
NODE_CONFIG="$(cat /run/secrets/config.json)"
export NODE_CONFIG
exec node {{ package }}/bin/redis-commander.js
