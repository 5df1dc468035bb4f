#!/bin/sh
# Keeps the newest KEEP_BASES base backups, and of the log what the oldest of them needs. Nothing goes while fewer are there.
set -eu

home=${BACKUP_HOME:-/backup}
keep=${KEEP_BASES:-14}
case $keep in
'' | *[!0-9]* | 0) echo "prune: KEEP_BASES is a number above 0, not '$keep'" >&2; exit 1 ;;
esac

# Names are times, so they sort as such.
bases=$(find "$home/base" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*T[0-9]*Z' | sed 's|.*/||' | sort)
count=$(printf '%s\n' "$bases" | grep -c . || true)
printf '%s\n' "$bases" | head -n "$((count > keep ? count - keep : 0))" | while read -r old; do
    [ -n "$old" ] || continue
    # First it loses its name: half a base must not look like one.
    mv "$home/base/$old" "$home/base/.$old.going"
    rm -rf "$home/base/.$old.going" "$home/base/$old.finished"
    echo "prune: $old is gone"
done

oldest=$(printf '%s\n' "$bases" | tail -n "$keep" | head -n 1)
[ -n "$oldest" ] || exit 0
first=$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]\{24\}\)).*/\1/p' "$home/base/$oldest/backup_label")
[ -n "$first" ] || { echo "prune: $oldest does not say from where its log begins; the log stays" >&2; exit 1; }
pg_archivecleanup "$home/wal" "$first"
