#!/bin/sh
# A base backup of the running server into $BACKUP_HOME/base, verified before it has its name. Run it each night where the server is
# (PGHOST, PGPORT, PGUSER say which), as a role with REPLICATION. What is older than KEEP_BASES of them goes, with the log that only it needs.
set -eu
umask 027

home=${BACKUP_HOME:-/backup}
keep=${KEEP_BASES:-14}
here=$(cd "$(dirname "$0")" && pwd)
stamp=$(date -u +%Y%m%dT%H%M%SZ)
half=$home/base/.$stamp.half

mkdir -p "$home/base" "$home/wal"
# Two at once would each take the other's half for a left-over.
exec 9> "$home/base/.lock"
flock -n 9 || { echo "base-backup: another one is under way" >&2; exit 1; }
rm -rf "$home"/base/.[0-9]*.half

# The log that it needs by itself comes with it, so that it can be verified and started without the archive too.
pg_basebackup --pgdata="$half" --format=plain --wal-method=stream --checkpoint=fast --manifest-checksums=SHA256 \
    --label="canbao $stamp" --no-password
# The next whole second: no moment before it is sure to be reached from here.
finished=$(($(date +%s) + 1))
pg_verifybackup --quiet "$half"
sync "$half"
# Before it has its name: restore.sh must know from which moment on it can be played.
echo "$finished" > "$home/base/$stamp.finished"
mv "$half" "$home/base/$stamp"
sync "$home/base"
echo "base-backup: $stamp is verified"

# For node_exporter's textfile collector: whoever watches hears when this did not happen.
if [ -n "${METRICS_FILE:-}" ]; then
    {
        echo '# HELP canbao_backup_verified_timestamp_seconds When the last base backup was made and verified'
        echo '# TYPE canbao_backup_verified_timestamp_seconds gauge'
        echo "canbao_backup_verified_timestamp_seconds $(date +%s)"
    } > "$METRICS_FILE.$$"
    chmod 644 "$METRICS_FILE.$$"
    mv "$METRICS_FILE.$$" "$METRICS_FILE"
fi

BACKUP_HOME=$home KEEP_BASES=$keep "$here/prune.sh"
