#!/bin/sh
# restore_command = '/path/restore-wal.sh "%f" "%p"': gives PostgreSQL one file of the log. Fails quietly where there is none: that is the end.
set -eu

name=${1:?its name}
to=${2:?where it goes}
wal=${BACKUP_HOME:-/backup}/wal

case $name in
*/* | .* | '') echo "restore-wal: not a name: $name" >&2; exit 1 ;;
esac
[ -e "$wal/$name" ] || exit 1
cp "$wal/$name" "$to"
