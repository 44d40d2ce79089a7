#!/bin/bash
# docker-entrypoint.sh postgres [OPTIONS]: makes the cluster in an empty PGDATA, then becomes the server.
# Environment, as the official image has it: PGDATA, POSTGRES_USER, POSTGRES_DB, and POSTGRES_PASSWORD_FILE or
# POSTGRES_PASSWORD. Other commands are run as they are.
#
# The cluster is made in PGDATA/.new and moved up, PGDATA/.complete is written last, and only then does .new go. So a
# kill at any moment leaves either a whole cluster, or .new without .complete, from which the next start begins anew.
set -euo pipefail

fail() { echo "postgres: $*" >&2; exit 1; }

password() {
  local file=${POSTGRES_PASSWORD_FILE:-} text=${POSTGRES_PASSWORD:-}
  [ -z "$file" ] || [ -z "$text" ] || fail "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set; keep one of them"
  [ -z "$file" ] || [ -r "$file" ] || fail "POSTGRES_PASSWORD_FILE: user $(id -u) cannot read $file"
  [ -z "$file" ] || text=$(cat "$file")
  [ -n "$text" ] || fail "a new cluster needs a password: set POSTGRES_PASSWORD_FILE (or POSTGRES_PASSWORD)"
  printf '%s\n' "$text"
}

make_cluster() {
  local user=${POSTGRES_USER:-postgres} new=$PGDATA/.new secret
  local database=${POSTGRES_DB:-$user}
  secret=$(password)
  mkdir -p "$new"
  sync "$PGDATA"
  find "$PGDATA" -mindepth 1 -maxdepth 1 -not -name .new -exec rm -rf {} +
  find "$new" -mindepth 1 -delete
  chmod 700 "$new"
  initdb --pgdata="$new" --username="$user" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 \
    --locale=C.UTF-8 --pwfile=<(printf '%s\n' "$secret") >/dev/null
  echo 'host all all all scram-sha-256' >> "$new/pg_hba.conf"
  if [ "$database" != postgres ]; then
    # No TCP until the cluster is whole: a health check over TCP says the truth.
    pg_ctl --pgdata="$new" --wait --options="-c listen_addresses=''" start >/dev/null
    createdb --username="$user" --maintenance-db=postgres --owner="$user" "$database"
    pg_ctl --pgdata="$new" --mode=fast --wait stop >/dev/null
  fi
  find "$new" -mindepth 1 -maxdepth 1 -exec mv -t "$PGDATA" {} +
  sync
  touch "$PGDATA/.complete"
  sync "$PGDATA/.complete" "$PGDATA"
}

[ "${1:0:1}" != - ] || set -- postgres "$@"
[ "${1:-}" = postgres ] || exec "$@"
shift
[ "$(id -u)" != 0 ] || fail "the server does not run as root; start the container as 999:999"
mkdir -p "$PGDATA" 2>/dev/null || fail "user $(id -u) cannot make $PGDATA; mount a volume that it may write"
# PostgreSQL refuses a directory that others can read; a new volume has the mode of the directory in the image.
chmod 700 "$PGDATA" 2>/dev/null || fail "$PGDATA must belong to user $(id -u); mount a volume that does"
if [ ! -e "$PGDATA/.complete" ]; then
  if [ -d "$PGDATA/.new" ] || [ -z "$(ls -A "$PGDATA")" ]; then
    make_cluster
  elif [ ! -s "$PGDATA/PG_VERSION" ]; then
    fail "$PGDATA holds files that are no cluster; empty it or mount another volume"
  fi # else a cluster that the official image made: used as it is
fi
if [ -d "$PGDATA/.new" ]; then
  rm -rf "$PGDATA/.new"
  # Gone for good before the first client writes: without .complete, .new would mean a cluster to be made again.
  sync "$PGDATA"
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' "$@"
