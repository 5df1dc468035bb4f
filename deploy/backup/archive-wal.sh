#!/bin/sh
# archive_command = '/path/archive-wal.sh "%p" "%f"': one file of the log into $BACKUP_HOME/wal, whole, on the disk, and never over another.
# PostgreSQL keeps the file and comes again for as long as this fails, so each failure is safe, and all of them are heard (pg_stat_archiver).
set -eu
umask 027

from=${1:?the path of the file}
name=${2:?its name}
wal=${BACKUP_HOME:-/backup}/wal

case $name in
*/* | .* | '') echo "archive-wal: not a name: $name" >&2; exit 1 ;;
esac
mkdir -p "$wal"
if [ -e "$wal/$name" ]; then
    # It was archived, and the server fell before it noted so. Anything else under this name is another server's: never mixed.
    cmp -s "$from" "$wal/$name" && exit 0
    echo "archive-wal: $name is there already, and is another" >&2
    exit 1
fi
half=$wal/.$name.$$
trap 'rm -f "$half"' EXIT
# On the disk before it has its name: a power cut must not leave half a file that looks whole.
dd if="$from" of="$half" bs=1048576 conv=fsync 2> /dev/null
# A link fails where the name is taken by now; mv would replace.
ln "$half" "$wal/$name"
sync "$wal"
