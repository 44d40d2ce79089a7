# RedisInsight takes passwords from its environment alone: this process's own, which docker inspect does not show.
RI_REDIS_PASSWORD="$(cat /run/secrets/redis-password)"
RI_ENCRYPTION_KEY="$(cat /run/secrets/encryption-key)"
export RI_REDIS_PASSWORD RI_ENCRYPTION_KEY
cd /usr/src/app && exec ./docker-entrypoint.sh node redisinsight/api/dist/src/main
